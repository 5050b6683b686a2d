"""The text of a document as one, over its pages: blocks in reading order, and where pages break. Pure.

A block goes on over a page break only where both answers say so, the one of the page before and the one of the page
after, and the two ends are of one kind. What stands between the two, such as a footnote, comes behind it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from assets.reading import ASIDE, FURNITURE, Block
from exports.pages import Page

HYPHENS = "-\u2010\u00ad\u00ac\u2e17"
"""What divides a word at the end of a line. A word that has one of its own there loses it: nothing tells the two
apart."""
_BY_LINES = ("list", "table")


@dataclass(frozen=True)
class PageBreak:
    """``page`` begins here; ``in_word``: within a word that was divided."""

    page: Page
    in_word: bool = False


@dataclass
class Piece:
    """A block with the page breaks in it. ``parts``: text and breaks; ``block``, ``page``: with which it begins."""

    block: Block
    page: Page
    parts: list[str | PageBreak] = field(default_factory=list)

    @property
    def kind(self) -> str:
        return self.block.kind

    def lines(self) -> list[tuple[PageBreak | None, str]]:
        """Line by line, for lists and tables: each with the page that begins before it."""
        found: list[tuple[PageBreak | None, str]] = []
        pending: PageBreak | None = None
        for part in self.parts:
            if isinstance(part, PageBreak):
                pending = part
                continue
            for line in part.split("\n"):
                found.append((pending, line))
                pending = None
        return found

    def words(self) -> list[str | PageBreak]:
        """The parts with each break that is in a word put behind that word, so that the word can be found."""
        found: list[str | PageBreak] = []
        behind: PageBreak | None = None
        for part in self.parts:
            if isinstance(part, PageBreak) and part.in_word:
                behind = part
            elif isinstance(part, str) and behind is not None:
                word, _, rest = part.partition(" ")
                found[-1] = f"{found[-1]}{word} "
                found += [behind, rest]
                behind = None
            else:
                found.append(part)
        return found


Item = PageBreak | Piece


def flowing(pages: Iterable[Page]) -> Iterator[Item]:
    """The break of each page, and its blocks; a page without a result has nothing but its break."""
    return _Flow().run(pages)


class _Flow:
    def __init__(self) -> None:
        self._open: Piece | None = None
        self._waiting: list[Item] = []
        self._before: Page | None = None
        self._under = ""

    def run(self, pages: Iterable[Page]) -> Iterator[Item]:
        for page in pages:
            blocks = self._blocks(page)
            if self._open is not None and self._goes_on(page, blocks):
                yield from self._go_on(self._open, page, blocks)
            else:
                yield from self._close()
                yield PageBreak(page)
                yield from self._begin(page, blocks)
            self._before = page
        yield from self._close()

    def _blocks(self, page: Page) -> list[Block]:
        """Without the heading that entries stand under since a page before."""
        blocks = [block for block in page.content.blocks if block.text.strip()] if page.is_read else []
        is_of_entries = len(blocks) > 1 and blocks[0].kind == "heading" and blocks[1].kind == "entry"
        if is_of_entries and blocks[0].text == self._under:
            blocks = blocks[1:]
        headings = [block.text for block in blocks if block.kind == "heading"]
        self._under = headings[-1] if headings else self._under
        return blocks

    def _goes_on(self, page: Page, blocks: list[Block]) -> bool:
        if self._open is None or self._before is None or not page.content.continues_previous:
            return False
        first = next((block for block in blocks if _is_body(block)), None)
        return first is not None and first.kind == self._open.kind and _are_neighbours(self._before, page)

    def _go_on(self, piece: Piece, page: Page, blocks: list[Block]) -> Iterator[Item]:
        at = next(at for at, block in enumerate(blocks) if _is_body(block))
        _join(piece, page, blocks[at].text)
        self._waiting += [_piece(block, page) for block in blocks[:at]]
        rest = blocks[at + 1 :]
        if page.content.continues_next and not any(_is_body(block) for block in rest):
            self._waiting += [_piece(block, page) for block in rest]
            return
        yield from self._close()
        yield from self._begin(page, rest)

    def _begin(self, page: Page, blocks: list[Block]) -> Iterator[Item]:
        """Blocks of a page of which none is open: the last one stays open, if the answer says that it goes on."""
        bodies = [at for at, block in enumerate(blocks) if _is_body(block) and block.kind != "heading"]
        goes_on = bool(bodies) and page.content.continues_next
        end = bodies[-1] if goes_on else len(blocks)
        for block in blocks[:end]:
            yield _piece(block, page)
        if goes_on:
            self._open = _piece(blocks[end], page)
            self._waiting = [_piece(block, page) for block in blocks[end + 1 :]]

    def _close(self) -> Iterator[Item]:
        if self._open is not None:
            yield self._open
            yield from self._waiting
        self._open, self._waiting = None, []


def _join(piece: Piece, page: Page, text: str) -> None:
    before = piece.parts[-1]
    assert isinstance(before, str)  # noqa: S101 - text stands at the end of each
    if piece.kind in _BY_LINES:
        piece.parts += [PageBreak(page), text]
        return
    before, text = before.rstrip(), text.lstrip()
    in_word = len(before) > 1 and before[-1] in HYPHENS and before[-2].isalpha() and text[:1].islower()
    piece.parts[-1] = before[:-1] if in_word else f"{before} "
    piece.parts += [PageBreak(page, in_word), text]


def _piece(block: Block, page: Page) -> Piece:
    return Piece(block, page, [block.text])


def _is_body(block: Block) -> bool:
    return block.kind not in FURNITURE and block.kind not in ASIDE


def _are_neighbours(one: Page, other: Page) -> bool:
    """Whether the pages follow on each other in the record manifest."""
    return bool(other.row["number"] == one.row["number"] + 1)

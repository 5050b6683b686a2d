"""What text a result has, whatever its schema: blocks in reading order, with their boxes where it tells them. Pure.

The shipped schemas are known by their shape, so that results can be exported long after a schema has changed. Of a
schema of somebody's own the text is what stands in fields with one of the names of `TEXT_NAMES`, at any depth.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

TEXT_NAMES = ("text", "transcript", "transcription", "full_text", "content")
"""Fields that hold text as it is read, in schemas of somebody's own."""
BOX = "box_2d"
SCALE = 1000
"""Boxes are told in thousandths of the image."""
FURNITURE = frozenset({"running_head", "page_number"})
"""Kinds of blocks that are of the page, and not of the text."""
ASIDE = frozenset({"footnote", "marginalia", "caption", "illustration"})
"""Kinds of blocks that stand beside the text that runs from page to page."""


@dataclass(frozen=True, slots=True)
class Block:
    """``kind``: a BlockKind of `config.schemas.page_transcript`, or ``entry``; ``level``: of a heading, from 1;
    ``box``: y_min, x_min, y_max, x_max in thousandths of the upright image, None where it is not told."""

    kind: str
    text: str
    level: int | None = None
    box: tuple[int, int, int, int] | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """``continues_previous``, ``continues_next``: whether its text goes on from, or to, the neighbouring page, as the
    answer says; ``language``, ``page_number``: as the answer says, "" where it does not; ``has_text``: whether there
    is any field for text."""

    blocks: tuple[Block, ...] = ()
    language: str = ""
    page_number: str = ""
    continues_previous: bool = False
    continues_next: bool = False
    has_text: bool = False

    @property
    def text(self) -> str:
        """All of it, blocks divided by a blank line."""
        return "\n\n".join(block.text for block in self.blocks if block.text)


def content_of(result: Any) -> Content:
    if not isinstance(result, dict):
        return _of_any(result)
    blocks, has_text = _blocks(result)
    if not has_text:
        return _of_any(result)
    return Content(
        blocks=tuple(blocks),
        language=_text(result.get("language")),
        page_number=_text(result.get("printed_page_number")),
        continues_previous=_first_says(result, "continues_previous_page"),
        continues_next=_last_says(result, "continues_on_next_page"),
        has_text=True,
    )


def has_text_field(schema: Mapping[str, Any]) -> bool:
    """Whether a JSON Schema has a field from which text would be taken."""
    return any(name in TEXT_NAMES for name in _names(schema))


def has_boxes(schema: Mapping[str, Any]) -> bool:
    return BOX in set(_names(schema))


def _names(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for each in node:
            yield from _names(each)
    if isinstance(node, dict):
        properties = node.get("properties")
        if isinstance(properties, dict):
            yield from properties
        for each in node.values():
            yield from _names(each)


def _blocks(result: Mapping[str, Any]) -> tuple[list[Block], bool]:
    """Of a PageTranscript or a PageEntries."""
    blocks, entries = result.get("blocks"), result.get("entries")
    if isinstance(blocks, list) and all(_has(each, "kind", "text") for each in blocks):
        levels = _levels(result.get("headings"))
        return [_block(each, levels) for each in blocks], True
    if isinstance(entries, list) and all(_has(each, "heading", "text") for each in entries):
        return list(_entries(entries)), True
    return [], False


def _block(node: Mapping[str, Any], levels: Mapping[str, int]) -> Block:
    kind, text = _text(node.get("kind")), _text(node.get("text"))
    level = levels.get(text.strip(), 1) if kind == "heading" else None
    return Block(kind, text, level, _box(node))


def _levels(headings: Any) -> dict[str, int]:
    found = headings if isinstance(headings, list) else []
    return {
        each["text"].strip(): min(6, max(1, each["level"]))
        for each in found
        if isinstance(each, dict) and isinstance(each.get("text"), str) and isinstance(each.get("level"), int)
    }


def _entries(entries: list[Mapping[str, Any]]) -> Iterator[Block]:
    under = ""
    for each in entries:
        heading = _text(each["heading"])
        if heading and heading != under:
            yield Block("heading", heading, 1)
        under = heading
        yield Block("entry", _text(each["text"]), box=_box(each))


def _of_any(result: Any) -> Content:
    texts = list(_texts(result))
    blocks = tuple(Block("paragraph", text, box=box) for text, box in texts if text.strip())
    return Content(blocks, has_text=bool(texts))


def _texts(node: Any) -> Iterator[tuple[str, tuple[int, int, int, int] | None]]:
    if isinstance(node, list):
        for each in node:
            yield from _texts(each)
    if isinstance(node, dict):
        for name, value in node.items():
            if name in TEXT_NAMES and isinstance(value, str):
                yield value, _box(node)
            elif name in TEXT_NAMES and isinstance(value, list) and all(isinstance(each, str) for each in value):
                yield "\n".join(value), _box(node)
            else:
                yield from _texts(value)


def _has(node: Any, *names: str) -> bool:
    return isinstance(node, dict) and all(name in node for name in names)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _box(node: Mapping[str, Any]) -> tuple[int, int, int, int] | None:
    """None also for what is no box: nothing can be drawn of it."""
    box = node.get(BOX)
    if not isinstance(box, list) or len(box) != 4 or not all(type(each) is int and 0 <= each <= SCALE for each in box):
        return None
    top, left, bottom, right = box
    return (top, left, bottom, right) if top < bottom and left < right else None


def _first_says(result: Mapping[str, Any], name: str) -> bool:
    entries = result.get("entries")
    return _says(result, name) or bool(isinstance(entries, list) and entries and _says(entries[0], name))


def _last_says(result: Mapping[str, Any], name: str) -> bool:
    entries = result.get("entries")
    return _says(result, name) or bool(isinstance(entries, list) and entries and _says(entries[-1], name))


def _says(node: Any, name: str) -> bool:
    return isinstance(node, dict) and node.get(name) is True

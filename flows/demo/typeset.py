"""Sets a catalogue on pages with Pillow, and makes a printed page look like a scan.

The fonts are those that matplotlib's wheel carries, so that a machine's own fonts play no part. Here is no file of a
corpus: ``corpus`` decides on names and writes.
"""

import io
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from flows.demo import text
from flows.demo.catalogue import Block, Catalogue, Heading, Items, Paragraph, Table

PAGE_SIZE = (1200, 1800)
_LEFT, _RIGHT = 125, 1075
_HEAD_Y, _TOP, _ROOM, _FOOT_Y = 95, 185, 1470, 1700
_BODY_PX, _BODY_PITCH = 28, 43
_SMALL_PX, _SMALL_PITCH = 23, 36
_INDENT = 45
_MIN_CELL_GAP, _MAX_CELL_GAP = 60, 150

# Where these words may be divided at the end of a line.
_DIVISIONS = {division.replace("-", ""): division for division in text.DIVISIONS}


class FontsMissingError(RuntimeError):
    """matplotlib, whose wheel carries the fonts, is not installed."""


@dataclass(frozen=True, slots=True)
class SetPage:
    """A printed page. ``image``: mode L, black on white, PAGE_SIZE. ``text``: its words in reading order, one printed
    line a line, divided words joined in the line that they begin in."""

    number: int
    image: Image.Image
    text: str


@dataclass(slots=True)
class _Line:
    """One printed line: runs of text at their places, and the words that it adds to the page's text."""

    pitch: int
    runs: list[tuple[int, str, ImageFont.FreeTypeFont]]
    text: str
    space_before: int = 0
    divided: bool = False
    keep_lines: int = 1
    is_heading: bool = False


def typeset(catalogue: Catalogue, page_count: int) -> list[SetPage]:
    """Exactly ``page_count`` pages; what does not fit on the last one is left out, block by block.

    Raises ValueError if the catalogue is too short, FontsMissingError if there is no font to set it with.
    """
    fonts = _Fonts()
    pages = _break_into_pages(catalogue, page_count, fonts)
    if len(pages) < page_count:
        raise ValueError(f"the catalogue of {catalogue.school} does not fill {page_count} pages")
    while pages[-1][-1].is_heading:
        pages[-1].pop()
    return [_print_page(catalogue, catalogue.first_page_number + n, page, fonts) for n, page in enumerate(pages)]


def _break_into_pages(catalogue: Catalogue, page_count: int, fonts: "_Fonts") -> list[list[_Line]]:
    """At most ``page_count`` pages. A heading goes with what it heads; a divided word is not divided by a page."""
    pages: list[list[_Line]] = [[]]
    for block in catalogue.blocks:
        lines = _block_lines(block, fonts)
        if len(pages) == page_count and _height(pages[-1] + lines) > _ROOM:
            return pages
        for line in lines:
            page = pages[-1]
            more_lines = 1 if line.divided else line.keep_lines - 1
            if _height([*page, line]) + line.pitch * more_lines > _ROOM:
                if len(pages) == page_count:
                    return pages
                pages.append([])
                while page and page[-1].is_heading:
                    pages[-1].insert(0, page.pop())
            pages[-1].append(line)
    return pages


def _height(page: list[_Line]) -> int:
    """What the lines take, without the space before the first."""
    return sum(line.pitch + (line.space_before if n else 0) for n, line in enumerate(page))


def degrade(image: Image.Image, rng: np.random.Generator, *, skew_degrees: float, jpeg_quality: int) -> bytes:
    """The page as a scanner might have taken it, as JPEG: skewed, a little blurred, on toned and spotty paper with a
    shadow at the gutter, and noisy."""
    soft = image.rotate(skew_degrees, resample=Image.Resampling.BICUBIC, fillcolor=255)
    soft = soft.filter(ImageFilter.GaussianBlur(0.8))
    ink = np.asarray(soft, dtype=np.float32)[:, :, None] / 255
    height, width = ink.shape[:2]
    spots = Image.fromarray(rng.normal(128, 30, (18, 12)).clip(0, 255).astype(np.uint8))
    tone = np.asarray(spots.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float32)[:, :, None]
    distance = np.linspace(0, 1, width, dtype=np.float32)[:: 1 if skew_degrees > 0 else -1]
    gutter = 1 - 0.25 * np.exp(-distance * 18)[None, :, None]
    paper = np.array([236, 226, 204], dtype=np.float32) + (tone - 128) * 0.12
    black = np.array([48, 40, 36], dtype=np.float32)
    scan = (black + (paper - black) * ink) * gutter
    scan += 9 * rng.standard_normal((height, width, 1), dtype=np.float32)
    scan += 3 * rng.standard_normal((height, width, 3), dtype=np.float32)
    buffer = io.BytesIO()
    Image.fromarray(scan.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=jpeg_quality)
    return buffer.getvalue()


class _Fonts:
    def __init__(self) -> None:
        spec = find_spec("matplotlib")
        if spec is None or spec.origin is None:
            raise FontsMissingError(
                "the demo's fonts come with matplotlib, which is not installed; run `make setup`, "
                "or install quire with its `notebooks` extra"
            )
        folder = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf"

        def load(name: str, size_px: int) -> ImageFont.FreeTypeFont:
            return ImageFont.truetype(folder / name, size_px, layout_engine=ImageFont.Layout.BASIC)

        self.body = load("DejaVuSerif.ttf", _BODY_PX)
        self.small = load("DejaVuSerif.ttf", _SMALL_PX)
        self.head = load("DejaVuSerif.ttf", 24)
        self.title = load("DejaVuSerif-Bold.ttf", 36)
        self.section = load("DejaVuSerif-Bold.ttf", 27)


def _block_lines(block: Block, fonts: _Fonts) -> list[_Line]:
    match block:
        case Heading():
            return [_heading(block, fonts)]
        case Paragraph():
            return _justify(block.text.split(), fonts.body, indent=_INDENT, hang=0)
        case Table():
            return _table(block, fonts)
        case Items(columns=2):
            return _columns(block, fonts)
        case Items():
            return [
                line
                for item in block.items
                for line in _justify(item.split(), fonts.body, indent=0, hang=_INDENT, justified=False)
            ]


def _heading(block: Heading, fonts: _Fonts) -> _Line:
    font = fonts.title if block.level == 1 else fonts.section
    x = (_LEFT + _RIGHT - int(font.getlength(block.text))) // 2
    pitch = 62 if block.level == 1 else 52
    space_before = 34 if block.level == 1 else 24
    return _Line(pitch, [(x, block.text, font)], block.text, space_before, keep_lines=2, is_heading=True)


def _justify(
    words: list[str], font: ImageFont.FreeTypeFont, *, indent: int, hang: int, justified: bool = True
) -> list[_Line]:
    """Break into lines; the first is indented by ``indent``, the others by ``hang``."""
    lines: list[_Line] = []
    space = font.getlength(" ")
    rest = list(words)
    carried = False  # whether rest[0] is the tail of a word that was counted in the line before
    while rest:
        left = _LEFT + (hang if lines else indent)
        room = _RIGHT - left
        taken: list[str] = []
        width = 0.0
        while rest and width + font.getlength(rest[0]) <= room:
            width += font.getlength(rest[0]) + space
            taken.append(rest.pop(0))
        whole = taken[1:] if carried else list(taken)
        divided, carried = False, False
        if rest and justified and (parts := _divide(rest[0], font, room - width)):
            taken.append(parts[0] + "-")
            whole.append(rest[0])
            rest[0] = parts[1]
            divided = carried = True
        full = bool(rest) and justified
        lines.append(_Line(_BODY_PITCH, _spread(taken, font, left, room, full=full), " ".join(whole), divided=divided))
    lines[0].space_before = 10
    return lines


def _divide(word: str, font: ImageFont.FreeTypeFont, room: float) -> tuple[str, str] | None:
    core = word.rstrip(",.;:")
    tail = word[len(core) :]
    syllables = _DIVISIONS.get(core, core).split("-")
    for n in range(len(syllables) - 1, 0, -1):
        head = "".join(syllables[:n])
        if font.getlength(head + "-") <= room:
            return head, "".join(syllables[n:]) + tail
    return None


def _spread(
    words: list[str], font: ImageFont.FreeTypeFont, left: int, room: int, *, full: bool
) -> list[tuple[int, str, ImageFont.FreeTypeFont]]:
    ink = sum(font.getlength(word) for word in words)
    gap = (room - ink) / (len(words) - 1) if full and len(words) > 1 else font.getlength(" ")
    runs = []
    x = float(left)
    for word in words:
        runs.append((round(x), word, font))
        x += font.getlength(word) + gap
    return runs


def _table(block: Table, fonts: _Fonts) -> list[_Line]:
    font = fonts.small if len(block.rows[0]) > 2 else fonts.body
    widths = [max(int(font.getlength(cell)) for cell in column) for column in zip(*block.rows, strict=True)]
    lines = []
    if block.leaders:
        for label, amount in block.rows:
            right = _RIGHT - int(font.getlength(amount))
            runs = [(_LEFT, label, font), (right, amount, font)]
            first_dot = _LEFT + int(font.getlength(label)) + 20
            runs += [(x, ".", font) for x in range(first_dot + (-first_dot) % 24, right - 30, 24)]
            lines.append(_Line(_BODY_PITCH, runs, f"{label} {amount}"))
    else:
        free = (_RIGHT - _LEFT - sum(widths)) // (len(widths) - 1)
        gap = max(_MIN_CELL_GAP, min(_MAX_CELL_GAP, free))
        xs = [_LEFT]
        for width, _ in pairwise(widths):
            xs.append(xs[-1] + width + gap)
        lines += [
            _Line(_BODY_PITCH, [(x, cell, font) for x, cell in zip(xs, row, strict=True)], " ".join(row))
            for row in block.rows
        ]
    lines[0].space_before = 6
    return lines


def _columns(block: Items, fonts: _Fonts) -> list[_Line]:
    """Two columns side by side, kept on one page; the text of both is in the first line, left column first."""
    half = (len(block.items) + 1) // 2
    middle = (_LEFT + _RIGHT) // 2 + 20
    left, right = block.items[:half], block.items[half:]
    lines = []
    for n in range(half):
        runs = [(_LEFT, left[n], fonts.small)]
        if n < len(right):
            runs.append((middle, right[n], fonts.small))
        lines.append(_Line(_SMALL_PITCH, runs, ""))
    lines[0].text = "\n".join(block.items)
    lines[0].space_before, lines[0].keep_lines = 6, half
    return lines


def _print_page(catalogue: Catalogue, number: int, lines: list[_Line], fonts: _Fonts) -> SetPage:
    image = Image.new("L", PAGE_SIZE, 255)
    draw = ImageDraw.Draw(image)
    head = catalogue.even_head if number % 2 == 0 else catalogue.odd_head
    head_x = (_LEFT + _RIGHT - int(fonts.head.getlength(head))) // 2
    draw.text((head_x, _HEAD_Y), head, fill=0, font=fonts.head)
    folio = str(number)
    folio_width = int(fonts.body.getlength(folio))
    texts = [head]
    if catalogue.folio == "foot":
        draw.text(((_LEFT + _RIGHT - folio_width) // 2, _FOOT_Y), folio, fill=0, font=fonts.body)
    elif number % 2 == 0:
        draw.text((_LEFT, _HEAD_Y), folio, fill=0, font=fonts.body)
        texts.insert(0, folio)
    else:
        draw.text((_RIGHT - folio_width, _HEAD_Y), folio, fill=0, font=fonts.body)
        texts.append(folio)
    y = _TOP
    for n, line in enumerate(lines):
        y += line.space_before if n else 0
        for x, run, font in line.runs:
            draw.text((x, y), run, fill=0, font=font)
        texts.append(line.text)
        y += line.pitch
    if catalogue.folio == "foot":
        texts.append(folio)
    return SetPage(number, image, "\n".join(text for text in texts if text))

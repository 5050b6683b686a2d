"""The text layer of a PDF: what is searched and copied, and seen by nobody."""

import io
from functools import cache

from assets.reading import Content
from exports.escaping import plain
from exports.places_of_text import in_pixels

WIDTH_OF_CHARACTER = 0.5
"""Of its height, in our font."""
SMALLEST, LARGEST = 0.5, 60.0
"""Points."""
_INVISIBLE = 3


@cache
def font_file() -> bytes:
    """A TrueType font of two glyphs without a shape, half as wide as they are high; always the same bytes."""
    from fontTools.fontBuilder import FontBuilder
    from fontTools.ttLib.tables._g_l_y_f import Glyph

    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "blank"])
    builder.setupCharacterMap({32: "blank"})
    builder.setupGlyf({".notdef": Glyph(), "blank": Glyph()})
    builder.setupHorizontalMetrics({".notdef": (500, 0), "blank": (500, 0)})
    builder.setupHorizontalHeader(ascent=1000, descent=0)
    builder.setupNameTable({"familyName": "QuireText", "styleName": "Regular", "psName": "QuireText"})
    builder.setupOS2(sTypoAscender=1000, usWinAscent=1000, usWinDescent=0)
    builder.setupPost()
    builder.updateHead(created=0, modified=0)
    builder.font.recalcTimestamp = False
    with io.BytesIO() as file:
        builder.save(file)
        return file.getvalue()


def text_layer(content: Content, across: float, down: float) -> bytes:
    """The operators that lay the text on a page of so many points: each block with a box over that, all others over the
    whole page."""
    lines = ["BT", f"{_INVISIBLE} Tr"]
    rest = [block.text for block in content.blocks if block.box is None]
    for block in content.blocks:
        if block.box is not None:
            x, y, width, height = (each / 1000 for each in in_pixels(block.box, (1000, 1000)))
            lines += _laid(block.text, x * across, down - y * down, width * across, height * down)
    if any(text.strip() for text in rest):
        lines += _laid("\n".join(rest), 0, down, across, down)
    lines.append("ET\n")
    return "\n".join(lines).encode("ascii")


def _laid(text: str, x: float, top: float, width: float, height: float) -> list[str]:
    """Text in a rectangle, as large as it fits, broken at blanks."""
    paragraphs = [line.split() for line in plain(text).split("\n") if line.strip()]
    if not paragraphs:
        return []
    characters = sum(len(word) + 1 for words in paragraphs for word in words)
    # As many lines as make the letters fill the rectangle.
    size = min(LARGEST, max(SMALLEST, (width * height / (characters * WIDTH_OF_CHARACTER)) ** 0.5))
    rows = [row for words in paragraphs for row in _rows(words, max(1, int(width / (size * WIDTH_OF_CHARACTER))))]
    size = max(SMALLEST, min(size, height / len(rows)))
    laid = []
    for at, row in enumerate(rows):
        # Only ever narrower: what is a little too small is found all the same.
        stretch = max(1.0, min(100.0, 100 * width / (_units(row) * size * WIDTH_OF_CHARACTER)))
        bottom = top - (at + 1) * size
        # With a blank at its end, a word ends there, and pdfium does not pass over a letter that is alone: without a
        # shape it is of no width to it.
        code = f"{row} ".encode("utf-16-be").hex()
        laid.append(f"/Text {size:.2f} Tf {stretch:.1f} Tz 1 0 0 1 {x:.2f} {bottom:.2f} Tm <{code}> Tj")
    return laid


def _units(text: str) -> int:
    """Of UTF-16, each of which is a code of the font."""
    return len(text.encode("utf-16-be")) // 2


def _rows(words: list[str], characters: int) -> list[str]:
    rows = [words[0]]
    for word in words[1:]:
        if len(rows[-1]) + 1 + len(word) <= characters:
            rows[-1] += f" {word}"
        else:
            rows.append(word)
    return rows

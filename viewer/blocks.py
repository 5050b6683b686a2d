"""A result as a page sets it: its text block by block, and all of its fields. What text there is, is read in
`assets.reading`. Pure.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from assets.reading import Block, Content, content_of

_WORD = re.compile(r"\w+")
MAX_ITEMS = 500
"""So many items of a list are set as fields; the JSON has all."""
MAX_DEPTH = 8


@dataclass(frozen=True, slots=True)
class SetBlock:
    """A block as it is set. ``at``: its place among all, from 0; ``rows``: of a table, the cells of each row;
    ``lines``: of a list; ``box``: x, y, width and height in thousandths of the image."""

    at: int
    kind: str
    text: str
    level: int
    rows: tuple[tuple[str, ...], ...] = ()
    lines: tuple[str, ...] = ()
    box: tuple[int, int, int, int] | None = None


def set_blocks(content: Content) -> list[SetBlock]:
    return [_set(at, block) for at, block in enumerate(content.blocks) if block.text.strip()]


def _set(at: int, block: Block) -> SetBlock:
    rows: tuple[tuple[str, ...], ...] = ()
    lines: tuple[str, ...] = ()
    if block.kind == "table":
        cells = [line.split("\t") for line in block.text.splitlines()]
        width = max(map(len, cells))
        rows = tuple(tuple(row + [""] * (width - len(row))) for row in cells)
    elif block.kind == "list":
        lines = tuple(line for line in block.text.splitlines() if line.strip())
    box = None
    if block.box is not None:
        top, left, bottom, right = block.box
        box = (left, top, right - left, bottom - top)
    return SetBlock(at, block.kind, block.text, block.level or 0, rows, lines, box)


def count_words(text: str) -> int:
    return sum(1 for _ in _WORD.finditer(text))


def searchable(result: Any) -> str:
    """What a search looks through: the text, or, of a result without any field of text, all that it says."""
    content = content_of(result)
    return content.text if content.has_text else "\n".join(_texts(result))


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for each in node.values():
            yield from _texts(each)
    elif isinstance(node, list):
        for each in node:
            yield from _texts(each)


@dataclass(frozen=True, slots=True)
class Field:
    """One value of a result. ``text``: of what is neither object nor list; ``fields``: of an object; ``items``: of a
    list, each as a field without a name; ``columns``, ``rows``: of a list of flat objects, which is set as a table."""

    name: str
    text: str = ""
    fields: tuple["Field", ...] = ()
    items: tuple["Field", ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    left_out: int = 0


def fields_of(result: Any) -> tuple[Field, ...]:
    """All fields of a result, as deep as a person still reads them."""
    if isinstance(result, dict):
        return tuple(_field(str(name), value, 1) for name, value in result.items())
    return (_field("", result, 1),)


def _field(name: str, value: Any, depth: int) -> Field:
    if isinstance(value, dict) and value and depth < MAX_DEPTH:
        return Field(name, fields=tuple(_field(str(each), inner, depth + 1) for each, inner in value.items()))
    if isinstance(value, list) and value and depth < MAX_DEPTH:
        shown, left_out = value[:MAX_ITEMS], max(0, len(value) - MAX_ITEMS)
        if all(isinstance(each, dict) and _is_flat(each) for each in shown):
            columns = tuple(dict.fromkeys(str(key) for each in shown for key in each))
            rows = tuple(tuple(_text(each.get(column)) for column in columns) for each in shown)
            return Field(name, columns=columns, rows=rows, left_out=left_out)
        if not all(_is_scalar(each) for each in shown):
            return Field(name, items=tuple(_field("", each, depth + 1) for each in shown), left_out=left_out)
    return Field(name, text=_text(value))


def _is_scalar(value: Any) -> bool:
    return not isinstance(value, dict | list)


def _is_flat(value: dict[str, Any]) -> bool:
    return all(_is_scalar(each) or (isinstance(each, list) and all(map(_is_scalar, each))) for each in value.values())


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(_text(each) for each in value)
        case dict():
            return "; ".join(f"{key}: {_text(each)}" for key, each in value.items())
    return str(value)

"""From a page's layout to a value of any responseSchema: what each property is about is guessed from its name.

A schema is filled with what was read where its names are understood. Where they are not, the value is the least that
the schema allows: null, an empty list, an empty text. Nothing is made up.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from emulator.engines.ocr_layout import Block, PageLayout
from emulator.schemas import format_of, normal, type_of

JsonObject = dict[str, Any]

_TEXT = re.compile(r"text|content|transcri|verbatim|markdown|body|^(line|paragraph|block|value|heading|title|caption)$")
_PAGE_NUMBER = re.compile(r"page_?(number|no|num|label)|folio|printed_page|^page$")
_LANGUAGE = re.compile(r"lang")
_HEADING = re.compile(r"heading|headline|^titles?$|section")
_LEVEL = re.compile(r"level|rank|depth")
_COUNT = re.compile(r"count|^(num|number)_(of_)?|_total$")
_CONFIDENCE = re.compile(r"confiden|certain|score|legibil|quality")
_PREVIOUS = re.compile(r"contin.*(prev|from|last|before)|^(prev|from).*contin|begins_mid|starts_mid")
_NEXT = re.compile(r"contin.*(next|to_|on|after)|^next.*contin|ends_mid|incomplete")
_BLANK = re.compile(r"blank|empty")
_BOX = re.compile(r"^(b?box|bounding_box)(_2d)?$")
_ENTRIES = re.compile(r"^(entry|entries|items|rows|records)$")
_BOX_SCALE = 1000
"""Gemini's own: [y_min, x_min, y_max, x_max], each from 0 to this."""
_KINDS = {
    "table": re.compile(r"table"),
    "list": re.compile(r"^lists?$|list_item|items"),
    "paragraph": re.compile(r"paragraph|prose"),
    "running_head": re.compile(r"running|page_?header|^headers?$"),
}
_EVERYTHING = re.compile(r"block|text|content|line|element|region|segment|part|entries|transcri")
_SYNONYMS = {
    "heading": ("title", "header", "section"),
    "paragraph": ("text", "prose", "body"),
    "list": ("list_item", "item", "enumeration"),
    "table": ("tabular", "grid"),
    "running_head": ("runninghead", "page_header", "header", "running_header", "running_title"),
    "page_number": ("folio", "pagenumber", "footer"),
}
_LAST_RESORTS = ("other", "unknown", "misc", "none", "paragraph", "text")
_LANGUAGES = {
    "en": {"the", "of", "and", "to", "is", "in"},
    "de": {"der", "die", "und", "das", "ist", "den"},
    "fr": {"le", "la", "les", "et", "des", "est"},
    "es": {"el", "los", "las", "y", "que", "del"},
    "la": {"et", "est", "non", "cum", "ad", "quod"},
}
_FORMATS = {"date": "1970-01-01", "date-time": "1970-01-01T00:00:00Z", "time": "00:00:00", "duration": "PT0S"}
_STAND_INS = ("", "und", "en", "unknown", "0", "1", "1970", "1970-01-01", "a", "A", "i", "0.0")


@dataclass(frozen=True, slots=True)
class _Subject:
    """What a value is about: the page, or one block of it. ``name``: of the property, lower case."""

    page: PageLayout
    name: str = ""
    block: Block | None = None

    @property
    def text(self) -> str:
        return self.block.text if self.block else self.page.text


def fill(schema: JsonObject, page: PageLayout) -> Any:
    """A value of ``schema`` (an OpenAPI subset in camelCase or snake_case) with what stands on the page.

    Bounds, enums, patterns and required properties are kept; a pattern that none of the stand-ins meets is the one
    exception.
    """
    return _fill(schema, _Subject(page))


def guess_language(text: str) -> str:
    """The language whose commonest words are the most frequent: en, de, fr, es, la, or und without any of them."""
    words = [word.strip(".,;:") for word in text.lower().split()]
    hits = {language: sum(word in common for word in words) for language, common in _LANGUAGES.items()}
    best = max(hits, key=lambda language: hits[language])
    return best if hits[best] else "und"


def _fill(schema: JsonObject, subject: _Subject) -> Any:
    fields = normal(schema)
    if options := fields.get("anyOf"):
        wanted = [option for option in options if type_of(normal(option)) != "NULL"]
        nullable = bool(fields.get("nullable")) or len(wanted) < len(options)
        if not wanted:
            return None
        return _fill({**wanted[0], "nullable": nullable or normal(wanted[0]).get("nullable", False)}, subject)
    match type_of(fields):
        case "OBJECT":
            return _object(fields, subject)
        case "ARRAY":
            return _array(fields, subject)
        case "INTEGER" | "NUMBER" as kind:
            return _number(fields, subject, whole=kind == "INTEGER")
        case "BOOLEAN":
            return _boolean(fields, subject)
        case "NULL":
            return None
        case _:
            return _string(fields, subject)


def _object(fields: JsonObject, subject: _Subject) -> JsonObject | None:
    if fields.get("nullable") and subject.name and not _understood(subject.name):
        return None
    properties: JsonObject = fields.get("properties") or {}
    ordering = [name for name in fields.get("propertyOrdering") or () if name in properties]
    names = ordering + [name for name in properties if name not in ordering]
    required = set(fields.get("required") or ())
    return {
        name: _fill(properties[name], replace(subject, name=name.lower()))
        for name in names
        if name in required or _understood(name.lower())
    }


def _understood(name: str) -> bool:
    patterns = (_TEXT, _PAGE_NUMBER, _LANGUAGE, _HEADING, _LEVEL, _COUNT, _CONFIDENCE, _PREVIOUS, _NEXT, _BLANK, _BOX)
    kinds = (*_KINDS.values(), _EVERYTHING, re.compile("kind|type|role|label|categor"))
    return any(pattern.search(name) for pattern in (*patterns, *kinds))


def _array(fields: JsonObject, subject: _Subject) -> list[Any] | None:
    item: JsonObject = fields.get("items") or {"type": "STRING"}
    if _BOX.search(subject.name):
        return _box(subject)
    blocks = _blocks_for(item, subject)
    if not blocks and fields.get("nullable"):
        return None
    values = [_fill(item, replace(subject, block=block)) for block in blocks]
    least, most = int(fields.get("minItems") or 0), fields.get("maxItems")
    while len(values) < least:
        values.append(_fill(item, replace(subject, block=Block("other", ""))))
    return values if most is None else values[: int(most)]


def _box(subject: _Subject) -> list[int] | None:
    (width, height), box = subject.page.size, subject.block.box if subject.block is not None else None
    if box is None or not width or not height:
        return None
    scales = (height, width, height, width)
    return [min(max(round(each / side * _BOX_SCALE), 0), _BOX_SCALE) for each, side in zip(box, scales, strict=True)]


def _blocks_for(item: JsonObject, subject: _Subject) -> Sequence[Block]:
    """The blocks that a list of this name is about; of no block if the name says nothing."""
    name = subject.name
    if subject.block is not None:
        parts = subject.block.text.split("\t" if re.search(r"cell|column", name) else "\n")
        wanted = re.search(r"cell|column|row|item|line|entries|word", name)
        return [Block(subject.block.kind, part) for part in parts if part] if wanted else []
    if "line" in name.split("_") or name == "lines":
        return [Block(block.kind, line) for block in subject.page.blocks for line in block.text.split("\n")]
    if _HEADING.search(name):
        return [block for block in subject.page.blocks if block.kind == "heading"]
    for kind, pattern in _KINDS.items():
        if pattern.search(name) and not (kind == "list" and type_of(normal(item)) == "OBJECT"):
            return [block for block in subject.page.blocks if block.kind == kind]
    if _ENTRIES.search(name) and type_of(normal(item)) == "OBJECT":
        printed = (block for block in subject.page.blocks if block.kind in ("paragraph", "list", "table"))
        return [each for block in printed for each in block.items or (block,)]
    holds_text = type_of(normal(item)) == "OBJECT" and any(
        _TEXT.search(each.lower()) for each in normal(item).get("properties") or {}
    )
    return subject.page.blocks if holds_text or not name or _EVERYTHING.search(name) else []


def _string(fields: JsonObject, subject: _Subject) -> str | None:
    if fields.get("enum"):
        return _choice([str(value) for value in fields["enum"]], subject)
    text = _known_string(fields, subject)
    if text is None:
        if fields.get("nullable"):
            return None
        text = _FORMATS.get(format_of(fields), "")
    return _fit(text, fields)


def _known_string(fields: JsonObject, subject: _Subject) -> str | None:
    """What was read for a property of this name; None if there is nothing."""
    name, page = subject.name, subject.page
    if format_of(fields) in _FORMATS:
        return None
    if _PAGE_NUMBER.search(name):
        return page.page_number
    if _LANGUAGE.search(name):
        return guess_language(page.text)
    if subject.block is None and _HEADING.search(name):
        return next((block.text for block in page.blocks if block.kind == "heading"), None)
    if (
        subject.block is not None
        and subject.block.kind != "heading"
        and _HEADING.search(name)
        and fields.get("nullable")
    ):
        return _heading_above(page, subject.block)
    if subject.block is not None and (not name or _TEXT.search(name) or _HEADING.search(name) or _is_plain(name)):
        return subject.text
    if not name or _TEXT.search(name):
        return subject.text
    return next(
        ("\n".join(block.text for block in page.blocks if block.kind == kind) or None
         for kind, pattern in _KINDS.items() if pattern.search(name)),
        None,
    )  # fmt: skip


def _heading_above(page: PageLayout, block: Block) -> str | None:
    """The heading under which a block stands, or the item of one."""
    above = None
    for each in page.blocks:
        if each is block or any(item is block for item in each.items):
            return above
        above = each.text if each.kind == "heading" else above
    return None


def _is_plain(name: str) -> bool:
    """A list of texts without a name of their own: its name is that of the list."""
    return bool(re.search(r"s$|cell|row|item|line", name))


def _choice(values: list[str], subject: _Subject) -> str:
    by_key = {re.sub(r"[^a-z]+", "_", value.lower()).strip("_"): value for value in values}
    if _LANGUAGE.search(subject.name):
        wanted: tuple[str, ...] = (guess_language(subject.page.text),)
    elif subject.block is not None:
        wanted = (subject.block.kind, *_SYNONYMS.get(subject.block.kind, ()))
    else:
        wanted = ()
    return next((by_key[key] for key in (*wanted, *_LAST_RESORTS) if key in by_key), values[0])


def _fit(text: str, fields: JsonObject) -> str:
    """The text within the bounds of its schema."""
    least, most = int(fields.get("minLength") or 0), fields.get("maxLength")
    if most is not None:
        text = text[: int(most)]
    text = text.ljust(least, "-")
    pattern = fields.get("pattern")
    if pattern and not re.search(pattern, text):
        fitting = (each for each in _STAND_INS if re.search(pattern, each) and len(each) >= least)
        text = next(fitting, text)
    return text


def _number(fields: JsonObject, subject: _Subject, *, whole: bool) -> int | float | None:
    value = _known_number(subject)
    if value is None and fields.get("nullable"):
        return None
    low, high = fields.get("minimum"), fields.get("maximum")
    value = 0 if value is None else value
    if low is not None:
        value = max(value, math.ceil(low) if whole else low)
    if high is not None:
        value = min(value, math.floor(high) if whole else high)
    return int(value) if whole else value


def _known_number(subject: _Subject) -> float | None:
    name, page = subject.name, subject.page
    if _PAGE_NUMBER.search(name):
        return int(page.page_number) if page.page_number and page.page_number.isdigit() else None
    if _LEVEL.search(name):
        return max(subject.block.level, 1) if subject.block else None
    if _CONFIDENCE.search(name):
        return round(page.score, 4)
    if _COUNT.search(name):
        if "word" in name:
            return len(subject.text.split())
        if "line" in name:
            return len(subject.text.splitlines())
        if "char" in name:
            return len(subject.text)
        return len(_blocks_for({"type": "STRING"}, _Subject(page, _COUNT.sub("", name).strip("_"))))
    return None


def _prose(page: PageLayout, at: int) -> Block | None:
    """The first or the last paragraph, which may go on on another page."""
    found = [block for block in page.blocks if block.kind == "paragraph"]
    return found[at] if found else None


def _boolean(fields: JsonObject, subject: _Subject) -> bool | None:
    name, page = subject.name, subject.page
    if _PREVIOUS.search(name):
        return page.continues_previous and (subject.block is None or subject.block is _prose(page, 0))
    if _NEXT.search(name):
        return page.continues_next and (subject.block is None or subject.block is _prose(page, -1))
    if _BLANK.search(name):
        return not page.blocks
    if "legib" in name or "readable" in name:
        return bool(page.blocks)
    for kind in ("table", "list", "heading", "page_number"):
        if kind in name:
            return any(block.kind == kind for block in page.blocks)
    return None if fields.get("nullable") else False

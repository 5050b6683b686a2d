"""The columns of a table of pages: what stands in each, of which type, and how a result of any schema becomes values of
them. Pure.

A result's columns are those of today's schema, each named by its way down the result. A list, or a model in a list, is
a column of lists and structs; what no type can say (a choice between types, a dict with free keys, a model that
contains itself) is JSON as text. All of the result stands besides as JSON in the column ``result``, so that nothing is
lost of one that was made by another schema.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from exports.choosing import COST, PROVENANCE
from exports.pages import Page

PREFIX = "result_"
IMAGE = ("image_path", "image_frame", "image_width", "image_height")
_OF_PAGE = ("record_key", "page_label", "text", "result", "edited", "correction")
OWN = (*_OF_PAGE, *PROVENANCE, *IMAGE, *COST)
MAX_DEPTH = 20
_INT64 = range(-(2**63), 2**63)
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Shape:
    """What a value is: of an Arrow ``type``; ``items``: of a list; ``fields``: of a struct; neither, and ``is_json``:
    anything, as JSON."""

    type: pa.DataType
    items: "Shape | None" = None
    fields: tuple[tuple[str, "Shape"], ...] = ()
    is_json: bool = False


ANYTHING = Shape(pa.string(), is_json=True)


@dataclass(frozen=True, slots=True)
class Column:
    """Of a result. ``path``: the names of the fields that lead to it."""

    name: str
    path: tuple[str, ...]
    shape: Shape

    def value(self, result: Any) -> Any:
        """None also where the result holds something else there, as one of another schema may."""
        for name in self.path:
            result = result.get(name) if isinstance(result, dict) else None
        fitted = fit(result, self.shape)
        return None if fitted is _MISSING else fitted


def result_columns(schema: Mapping[str, Any]) -> tuple[Column, ...]:
    """``schema``: JSON Schema, as pydantic writes it."""
    found = list[Column]()
    names = set[str]()
    for path, shape in _leaves(schema, schema, (), ()):
        name = base = PREFIX + ("_".join(path) or "value")
        number = 1
        while name in names:
            number += 1
            name = f"{base}_{number}"
        names.add(name)
        found.append(Column(name, path, shape))
    return tuple(found)


def field_names(document_fields: Sequence[str]) -> tuple[str, ...]:
    """The columns of the document fields: named as they are, unless one of ours is."""
    taken = set(OWN)
    return tuple(
        f"field_{name}" if name in taken or name.startswith((PREFIX, "field_")) else name for name in document_fields
    )


def table_schema(schema: Mapping[str, Any], document_fields: Sequence[str]) -> pa.Schema:
    """record_key, the document fields, page_label, text, the result's columns, all of it as JSON, whether a person has
    edited it, or vouched for it, what made it, its image, its tokens and dollars. Described in docs/export.md."""
    text = [(name, pa.string()) for name in ("record_key", *field_names(document_fields), "page_label", "text")]
    own = [(column.name, column.shape.type) for column in result_columns(schema)]
    made = [(name, pa.timestamp("us", tz="UTC") if name == "settled_at" else pa.string()) for name in PROVENANCE]
    image = [(name, pa.string() if name == "image_path" else pa.int32()) for name in IMAGE]
    cost = [(name, pa.float64() if name == "usd" else pa.int64()) for name in COST]
    return pa.schema(
        [
            *text,
            *own,
            ("result", pa.string()),
            ("edited", pa.bool_()),
            ("correction", pa.string()),
            *made,
            *image,
            *cost,
        ]
    )


def row_of(page: Page, columns: Sequence[Column], document_fields: Sequence[str]) -> dict[str, Any]:
    """A row of `table_schema`."""
    named = zip(field_names(document_fields), document_fields, strict=True)
    return {
        "record_key": page.key,
        **{column: page.row[name] for column, name in named},
        "page_label": page.label,
        "text": page.content.text,
        **{column.name: column.value(page.result) for column in columns},
        "result": as_json(page.result),
        "edited": page.is_edited,
        "correction": page.row["correction"],
        **{name: page.row[name] for name in (*PROVENANCE, *IMAGE, *COST)},
    }


def as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def fit(value: Any, shape: Shape) -> Any:
    """The value as a column of this shape takes it; _MISSING for one that it does not."""
    if value is None:
        return None
    if shape.is_json:
        return as_json(value)
    if shape.items is not None:
        return _fit_list(value, shape.items)
    if shape.fields:
        if not isinstance(value, dict):
            return _MISSING
        fitted = {name: fit(value.get(name), each) for name, each in shape.fields}
        return {name: None if each is _MISSING else each for name, each in fitted.items()}
    return value if _is_of(value, shape.type) else _MISSING


def _fit_list(value: Any, items: Shape) -> Any:
    if not isinstance(value, list):
        return _MISSING
    fitted = [fit(each, items) for each in value]
    # A list with holes would be another one.
    return _MISSING if any(each is _MISSING for each in fitted) else fitted


def _is_of(value: Any, type_: pa.DataType) -> bool:
    if pa.types.is_boolean(type_):
        return isinstance(value, bool)
    if pa.types.is_int64(type_):
        return type(value) is int and value in _INT64
    if pa.types.is_float64(type_):
        return type(value) in (int, float) and abs(value) < 2**1000
    return isinstance(value, str)


def _leaves(
    node: Mapping[str, Any], root: Mapping[str, Any], path: tuple[str, ...], seen: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Shape]]:
    """The columns below a node: those of its fields, if it is a model that does not contain itself."""
    node, seen = _resolved(node, root, seen)
    properties = node.get("properties")
    if isinstance(properties, dict) and properties and not _is_too_deep(seen):
        for name, each in properties.items():
            yield from _leaves(each, root, (*path, name), seen)
    else:
        yield path, _shape(node, root, seen)


def _shape(node: Mapping[str, Any], root: Mapping[str, Any], seen: tuple[str, ...]) -> Shape:
    node, seen = _resolved(node, root, seen)
    if _is_too_deep(seen):
        return ANYTHING
    properties, items = node.get("properties"), node.get("items")
    if isinstance(properties, dict) and properties:
        fields = tuple((name, _shape(each, root, seen)) for name, each in properties.items())
        return Shape(pa.struct([(name, shape.type) for name, shape in fields]), fields=fields)
    if node.get("type") == "array" and isinstance(items, dict) and "prefixItems" not in node:
        shape = _shape(items, root, seen)
        return Shape(pa.list_(shape.type), items=shape)
    kinds = {type(each) for each in node.get("enum", [node["const"]] if "const" in node else [])} - {type(None)}
    if kinds:
        return _SIMPLE[_KINDS[kinds.pop()]] if len(kinds) == 1 and kinds <= _KINDS.keys() else ANYTHING
    name = node.get("type")
    return _SIMPLE[name] if isinstance(name, str) and name in _SIMPLE else ANYTHING


def _resolved(
    node: Mapping[str, Any], root: Mapping[str, Any], seen: tuple[str, ...]
) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Without references, and without the null of what may be null. ``seen``: the references on the way here."""
    while True:
        if "$ref" in node:
            name = str(node["$ref"]).rpartition("/")[2]
            node, seen = root.get("$defs", {}).get(name, {}), (*seen, name)
        elif isinstance(node.get("anyOf"), list):
            others = [each for each in node["anyOf"] if each.get("type") != "null"]
            if len(others) != 1:
                return {}, seen
            node = others[0]
        else:
            return node, seen
        if _is_too_deep(seen):
            return {}, seen


def _is_too_deep(seen: tuple[str, ...]) -> bool:
    return len(seen) != len(set(seen)) or len(seen) > MAX_DEPTH


_SIMPLE = {
    "string": Shape(pa.string()),
    "integer": Shape(pa.int64()),
    "number": Shape(pa.float64()),
    "boolean": Shape(pa.bool_()),
}
_KINDS = {str: "string", int: "integer", float: "number", bool: "boolean"}

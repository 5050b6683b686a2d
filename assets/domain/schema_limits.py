"""How much of a schema the service takes, and what is done with the rest: bounds of lists and long enums go into words,
which pydantic alone checks then; what is too deep or too long is refused before anything is sent.

Google documents none of these figures ("a complex schema can result in an InvalidArgument: 400"). They are those of
public issues and measurements (seen in November 2026, none tried by us), each read in the stricter way; where the
figures stand together, with their sources, is docs/own-schema.md. Each is a setting (``limits.schema_...``), as such
limits move.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SchemaLimits:
    """``depth``: objects and lists within each other; ``text_bytes``: of the whole as compact JSON; ``max_items``: the
    sum of all ``maxItems``, each times those of the lists around it; ``enum_values``: of all enums together;
    ``enum_chars``: the characters of these values."""

    depth: int = 6
    text_bytes: int = 32_000
    max_items: int = 952
    enum_values: int = 99
    enum_chars: int = 2_500


DEFAULT_LIMITS = SchemaLimits()


class Left(NamedTuple):
    """What of a model Gemini cannot be told and pydantic alone checks. ``path``: the field, as in ``blocks[].kind``, or
    "" for the whole; ``what``: in a few words."""

    path: str
    what: str


def said(node: Schema, sentence: str) -> None:
    """Put ``sentence`` behind the description of ``node``."""
    node["description"] = " ".join([*([node["description"]] if node.get("description") else []), sentence])


def fit(schema: Schema, limits: SchemaLimits, *, takes_max_items: bool = True) -> list[Left]:
    """Put into words what is more than the service takes of bounds and enums, the largest first, in place. Returns
    it."""
    return _fit_max_items(schema, limits.max_items if takes_max_items else 0) + _fit_enums(schema, limits)


def schema_depth(schema: Schema) -> int:
    """Objects and lists within each other."""
    within = max((schema_depth(child) for _, child in children(schema)), default=0)
    return within + (schema.get("type") in ("OBJECT", "ARRAY"))


def text_bytes(schema: Any) -> int:
    return len(json.dumps(schema, ensure_ascii=False, separators=(",", ":")).encode())


def too_long(schema: Schema, limits: SchemaLimits) -> tuple[str, int, int] | None:
    """Where most of a schema stands that is longer than the service takes: field, its bytes and those of the whole. A
    field that holds nearly all is gone into, to one that can be shortened."""
    whole = text_bytes(schema)
    if whole <= limits.text_bytes:
        return None
    path, node, size = "", schema, whole
    while below := sorted(((text_bytes(child), name, child) for name, child in children(node)), key=lambda it: -it[0]):
        if below[0][0] < size * 2 / 3:
            break
        size, name, node = below[0]
        path = _joined(path, name)
    return path, size, whole


def walk(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Every node with its path, parents first."""
    yield path, schema
    for name, child in children(schema):
        yield from walk(child, _joined(path, name))


def children(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """A node's own: (the field's name, "[]" for what a list holds, "" for a branch of a union; node)."""
    yield from schema.get("properties", {}).items()
    if "items" in schema:
        yield "[]", schema["items"]
    for branch in schema.get("anyOf", []):
        yield "", branch


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path and name and name != "[]" else path + name


def _fit_max_items(schema: Schema, most: int) -> list[Left]:
    weights = {id(node): weight for node, weight in _weighed(schema, 1)}
    lists = [(path, node) for path, node in walk(schema) if "maxItems" in node]
    left = []
    while lists and (not most or sum(weights[id(node)] for _, node in lists) > most):
        path, node = max(lists, key=lambda each: weights[id(each[1])])
        lists.remove((path, node))
        said(node, f"At most {node['maxItems']} items.")
        left.append(Left(path, f"at most {node.pop('maxItems')} items"))
        weights = {id(each): weight for each, weight in _weighed(schema, 1)}
    return left


def _weighed(schema: Schema, around: int) -> Iterator[tuple[Schema, int]]:
    """Each list with a bound, and what that counts: times the bounds of the lists around it."""
    if "maxItems" in schema:
        around *= schema["maxItems"]
        yield schema, around
    for _, child in children(schema):
        yield from _weighed(child, max(around, 1))


def _fit_enums(schema: Schema, limits: SchemaLimits) -> list[Left]:
    enums = [(path, node) for path, node in walk(schema) if "enum" in node]
    left = []
    while (
        sum(len(node["enum"]) for _, node in enums) > limits.enum_values
        or sum(_chars(node) for _, node in enums) > limits.enum_chars
    ):
        path, node = max(enums, key=lambda each: (len(each[1]["enum"]), _chars(each[1])))
        enums.remove((path, node))
        values = node.pop("enum")
        del node["format"]
        said(node, f"One of: {', '.join(values)}.")
        left.append(Left(path, f"one of {len(values)} values"))
    return left


def _chars(node: Schema) -> int:
    return sum(map(len, node["enum"]))

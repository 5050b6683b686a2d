"""Which responseSchema the service takes: a subset of OpenAPI 3.0, no JSON Schema. What it refuses is refused here, in
words like its own. Instances of a schema are made in `emulator.engines.instances`.

How much of a schema it takes is not documented: the figures are those of public reports, each read in the stricter way
(docs/emulator.md has the sources).
"""

import json
import re
from collections.abc import Iterator
from typing import Any

TYPES = frozenset({"STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"})

_FIELDS = frozenset({
    "type", "format", "title", "description", "nullable", "enum", "maxItems", "minItems", "properties", "required",
    "minProperties", "maxProperties", "minLength", "maxLength", "pattern", "example", "anyOf", "propertyOrdering",
    "default", "items", "minimum", "maximum",
})  # fmt: skip
_COUNTS = ("maxItems", "minItems", "minProperties", "maxProperties", "minLength", "maxLength")
_STRING_FORMATS = ("enum", "date-time")
MOST_DEPTH = 6
"""Objects and lists within each other."""
MOST_BYTES = 32_000
MOST_ITEMS = 952
"""The sum of all maxItems, each times those of the lists around it."""
MOST_ENUM_VALUES = 99
MOST_ENUM_CHARS = 2_500
_WITHOUT_MAX_ITEMS = ("gemini-3.8-flash",)
_INVALID = "Request contains an invalid argument."
_TOO_MANY_STATES = (
    "The specified schema produces a constraint that has too many states for serving. Typical causes of this error are "
    "schemas with lots of text (for example, very long property or enum names), schemas with long array length limits "
    "(especially when nested), or schemas using complex value matchers."
)


class SchemaRefused(ValueError):  # noqa: N818 - it reads as what happened: "except SchemaRefused"
    """The message is the one that the line gets."""


def camel(name: str) -> str:
    """``any_of`` as ``anyOf``: the service reads both."""
    head, *rest = name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)


def normal(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema's own fields in camelCase; the names of its properties stay as they are."""
    return {camel(name): value for name, value in schema.items()}


def type_of(schema: dict[str, Any]) -> str:
    """The type in capitals, or "" if the schema names none."""
    return str(schema.get("type", "")).upper()


def format_of(fields: dict[str, Any]) -> str:
    """The format of a STRING: its own, or what its description says in words ("Format: date."), as a model reads it."""
    told = re.search(r"\bFormat: ([a-z-]+)\.", str(fields.get("description", "")))
    return str(fields.get("format") or (told.group(1) if told else ""))


def check_schema(schema: object, model: str) -> None:
    """Raise SchemaRefused for what the service would refuse with 400."""
    check_form(schema)
    nodes = list(_nodes(schema, 1, 1))
    if max(depth for _, depth, _ in nodes) > MOST_DEPTH:
        raise SchemaRefused("A schema in GenerationConfig in the request exceeds the maximum allowed nesting depth.")
    items = [weight for fields, _, weight in nodes if fields.get("maxItems") is not None]
    if sum(items) > MOST_ITEMS or (items and model.startswith(_WITHOUT_MAX_ITEMS)):
        raise SchemaRefused(_INVALID)
    values = [value for fields, _, _ in nodes for value in fields.get("enum") or ()]
    if len(values) > MOST_ENUM_VALUES or sum(map(len, values)) > MOST_ENUM_CHARS or _bytes(schema) > MOST_BYTES:
        raise SchemaRefused(_TOO_MANY_STATES)


def _bytes(schema: object) -> int:
    return len(json.dumps(schema, ensure_ascii=False, separators=(",", ":")).encode())


def _nodes(schema: Any, depth: int, weight: int) -> Iterator[tuple[dict[str, Any], int, int]]:
    """Every part: its fields, how many objects and lists deep it lies, its maxItems with those around it."""
    fields = normal(schema)
    kind = type_of(fields)
    if fields.get("maxItems") is not None:
        weight *= int(fields["maxItems"])
    yield fields, depth - (kind not in ("OBJECT", "ARRAY")), weight
    within = depth + (kind in ("OBJECT", "ARRAY"))
    children = [*(fields.get("properties") or {}).values(), *([fields["items"]] if "items" in fields else [])]
    for child in children:
        yield from _nodes(child, within, max(weight, 1))
    for option in fields.get("anyOf") or []:
        yield from _nodes(option, depth, max(weight, 1))


def check_form(schema: object, place: str = "generation_config.response_schema") -> None:
    """Raise SchemaRefused for what no schema may hold, whatever its size and the model."""
    if not isinstance(schema, dict):
        raise SchemaRefused(f"Invalid value at '{place}': a schema is an object.")
    for name in schema:
        if camel(name) not in _FIELDS:
            raise SchemaRefused(
                f"Invalid JSON payload received. Unknown name \"{name}\" at '{place}': Cannot find field."
            )
    fields = normal(schema)
    if "anyOf" in fields:
        _check_union(fields, place)
        return
    kind = fields.get("type")
    if kind is None:
        raise SchemaRefused(f"* {place}: a schema needs a type or any_of.")
    if not isinstance(kind, str) or kind.upper() not in TYPES:
        raise SchemaRefused(f"Invalid value at '{place}.type' (Type), {kind!r}")
    _check_counts(fields, place)
    _check_enum(fields, place)
    if type_of(fields) == "STRING" and fields.get("format") not in (None, *_STRING_FORMATS):
        raise SchemaRefused(f"* {place}.format: only 'enum' and 'date-time' are supported for STRING type")
    if type_of(fields) == "OBJECT":
        _check_object(fields, place)
    if type_of(fields) == "ARRAY":
        if "items" not in fields:
            raise SchemaRefused(f"* {place}.items: missing field.")
        check_form(fields["items"], f"{place}.items")


def _check_union(fields: dict[str, Any], place: str) -> None:
    if len(fields) > 1:
        raise SchemaRefused(
            f"* {place}: specified other fields alongside any_of. When using any_of, it must be the only field set."
        )
    options = fields["anyOf"]
    if not isinstance(options, list) or not options:
        raise SchemaRefused(f"Invalid value at '{place}.any_of': a list is wanted.")
    for index, option in enumerate(options):
        check_form(option, f"{place}.any_of[{index}]")


def _check_counts(fields: dict[str, Any], place: str) -> None:
    for name in _COUNTS:
        value = fields.get(name)
        if value is not None and (isinstance(value, bool) or not str(value).isdigit()):
            raise SchemaRefused(f"Invalid value at '{place}.{name}' (TYPE_INT64), {value!r}")
    for name in ("minimum", "maximum"):
        value = fields.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise SchemaRefused(f"Invalid value at '{place}.{name}' (TYPE_DOUBLE), {value!r}")


def _check_enum(fields: dict[str, Any], place: str) -> None:
    values = fields.get("enum")
    if values is None:
        return
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise SchemaRefused(f"Invalid value at '{place}.enum' (TYPE_STRING): only strings can be listed.")
    if type_of(fields) != "STRING":
        raise SchemaRefused(f"* {place}.enum: only allowed for STRING type.")
    for index, value in enumerate(values):
        if not value:
            raise SchemaRefused(f"* {place}.enum[{index}]: cannot be empty.")


def _check_object(fields: dict[str, Any], place: str) -> None:
    properties = fields.get("properties")
    if not isinstance(properties, dict) or not properties:
        raise SchemaRefused(f"* {place}.properties: should be non-empty for OBJECT type.")
    for list_name in ("required", "propertyOrdering"):
        for name in fields.get(list_name) or []:
            if name not in properties:
                raise SchemaRefused(f"* {place}.{list_name}: property {name!r} is not defined.")
    for name, inner in properties.items():
        check_form(inner, f"{place}.properties[{name}]")

"""Which responseSchema the service takes: a subset of OpenAPI 3.0, no JSON Schema. What it refuses is refused here, in
words like its own. Instances of a schema are made in `emulator.engines.instances`."""

from typing import Any

TYPES = frozenset({"STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"})

_FIELDS = frozenset({
    "type", "format", "title", "description", "nullable", "enum", "maxItems", "minItems", "properties", "required",
    "minProperties", "maxProperties", "minLength", "maxLength", "pattern", "example", "anyOf", "propertyOrdering",
    "default", "items", "minimum", "maximum",
})  # fmt: skip
_COUNTS = ("maxItems", "minItems", "minProperties", "maxProperties", "minLength", "maxLength")


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


def check_schema(schema: object, place: str = "generation_config.response_schema") -> None:
    """Raise SchemaRefused for what the service would refuse with 400."""
    if not isinstance(schema, dict):
        raise SchemaRefused(f"Invalid value at '{place}': a schema is an object.")
    for name in schema:
        if camel(name) not in _FIELDS:
            raise SchemaRefused(
                f"Invalid JSON payload received. Unknown name \"{name}\" at '{place}': Cannot find field."
            )
    fields = normal(schema)
    kind = fields.get("type")
    if kind is not None and (not isinstance(kind, str) or kind.upper() not in TYPES):
        raise SchemaRefused(f"Invalid value at '{place}.type' (Type), {kind!r}")
    if kind is None and "anyOf" not in fields:
        raise SchemaRefused(f"* {place}: a schema needs a type or any_of.")
    _check_counts(fields, place)
    _check_enum(fields, place)
    if type_of(fields) == "OBJECT":
        _check_object(fields, place)
    if type_of(fields) == "ARRAY":
        if "items" not in fields:
            raise SchemaRefused(f"* {place}.items: missing field.")
        check_schema(fields["items"], f"{place}.items")
    options = fields.get("anyOf", [])
    if not isinstance(options, list):
        raise SchemaRefused(f"Invalid value at '{place}.any_of': a list is wanted.")
    for index, option in enumerate(options):
        check_schema(option, f"{place}.any_of[{index}]")


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
        check_schema(inner, f"{place}.properties[{name}]")

"""What Gemini's schema has no keyword for, in words; and how pydantic describes a model on its way there."""

from collections.abc import Iterator
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import SchemaError as RegexError
from pydantic_core import SchemaValidator, core_schema

Schema = dict[str, Any]

SENT_FORMATS = frozenset({"date-time"})
"""The one format of a STRING that every version of the API takes; others were refused with 400 (seen in public
issues of google-genai). Formats of numbers (float, int32) are never made by pydantic."""
DECIMAL = "decimal"
"""The format by which a Decimal is told from a text. It is asked for as a text: a number would lose its last zeros."""
DECIMAL_PATTERN = r"^-?[0-9]+(\.[0-9]+)?$"


class Described(GenerateJsonSchema):
    """Says nothing of defaults that are no JSON, as they are not sent; tells a Decimal from a number or text, and what
    the keys of a map are, which in JSON are texts always."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012  (pydantic's own declaration)

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        found: JsonSchemaValue = {"type": "string", "format": DECIMAL}
        names = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum", "lt": "exclusiveMaximum"}
        names |= {"multiple_of": "multipleOf", "max_digits": "digits", "decimal_places": "places"}
        return found | {name: value for key, name in names.items() if (value := schema.get(key)) is not None}

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        found = super().dict_schema(schema)
        if "keys_schema" in schema and not found.keys() & {"propertyNames", "patternProperties"}:
            found["propertyNames"] = self.generate_inner(schema["keys_schema"])
        return found


def as_text(key: Schema) -> Schema:
    """The schema of a map's keys as that of the texts that they are in JSON."""
    match key.get("type"):
        case "integer" if "enum" not in key:
            return {"type": "string", "pattern": r"^-?[0-9]+$"}
        case "number" if "enum" not in key:
            return {"type": "string", "format": DECIMAL}
        case "boolean":
            return {"enum": ["true", "false"]}
    return {"type": "string", **key}


def in_words(node: Schema) -> Iterator[str]:
    """Sentences for what the subset has no keyword for."""
    is_decimal = node.get("format") == DECIMAL
    if is_decimal:
        yield "A decimal number, such as 12.50."
    elif "format" in node and node["format"] not in SENT_FORMATS:
        yield f"Format: {node['format']}."
    if is_decimal and "minimum" in node:
        yield f"At least {node['minimum']}."
    if is_decimal and "maximum" in node:
        yield f"At most {node['maximum']}."
    if node.get("type") != "integer":
        if "exclusiveMinimum" in node:
            yield f"Greater than {node['exclusiveMinimum']}."
        if "exclusiveMaximum" in node:
            yield f"Less than {node['exclusiveMaximum']}."
    if "multipleOf" in node:
        yield f"A multiple of {node['multipleOf']}."
    if "digits" in node:
        yield f"At most {node['digits']} digits."
    if "places" in node:
        yield f"At most {node['places']} digits behind the point."
    if node.get("uniqueItems"):
        yield "No item twice."


def is_sendable(pattern: str) -> bool:
    """Whether a regular expression needs nothing that goes back over a text: the service's dialect is not documented,
    and the one that pydantic judges by is the smallest that is common."""
    try:
        SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))
    except RegexError:
        return False
    return True

"""A pydantic model as Gemini's ``responseSchema``: an OpenAPI subset, with upper-case types and camelCase keywords.

Only the translation stands here. Validating an answer against the model is the business of ``assets/outcomes.py``;
how the schema travels, that of ``assets/requests.py``.

What the subset has no keyword for, but words can say (an unknown format, ``multiple_of``, unique items), becomes a
sentence of the description: the model is told, and pydantic checks the answer anyway. What words cannot say is refused
before anything is sent, since Gemini refuses it only after the images are uploaded and the job has run.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.errors import PydanticUserError
from pydantic.json_schema import GenerateJsonSchema

from assets.domain.errors import SchemaError

Schema = dict[str, Any]

_SENT_FORMATS = frozenset({"date-time"})
"""The one format of a STRING that every version of the API takes; others were refused with 400 (seen in public
issues of google-genai). Formats of numbers (float, int32) are never made by pydantic."""
_KEPT = ("pattern", "minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum")
_DROPPED = frozenset(
    {"title", "default", "examples", "example", "deprecated", "readOnly", "writeOnly", "$schema", "$comment", "$id"}
    | {"contentEncoding", "contentMediaType", "contentSchema", "discriminator"}
)
_HANDLED = frozenset(
    {"type", "description", "format", "enum", "const", "anyOf", "oneOf", "allOf", "items", "properties", "required"}
    | {"additionalProperties", "prefixItems", "$ref", "$defs", "uniqueItems", "multipleOf", "nullable"}
    | {"exclusiveMinimum", "exclusiveMaximum", "propertyOrdering", *_KEPT}
)
_TYPES = {"string": "STRING", "number": "NUMBER", "integer": "INTEGER", "boolean": "BOOLEAN", "array": "ARRAY"}
_NULL: Schema = {"type": "null"}


class _QuietJsonSchema(GenerateJsonSchema):
    """Says nothing of defaults that are no JSON: they are not sent."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012  (pydantic's own declaration)


def response_schema(model: type[BaseModel]) -> Schema:
    """The ``responseSchema`` that describes what ``model`` validates: by alias, in validation mode, since the answer is
    an input to the model.

    Deterministic. Properties keep the order of the fields (``propertyOrdering``), which is the order in which Gemini
    writes them. A discriminated union becomes a plain ``anyOf``: the tag is an enum of one in each branch.
    Raises SchemaError, which names model and field, for recursive models, free maps (``dict[str, X]``), tuples of
    mixed types, enums that are not of strings, ``Any``, and models without fields.
    """
    name = f"{model.__module__}.{model.__qualname__}"
    try:
        document = model.model_json_schema(by_alias=True, mode="validation", schema_generator=_QuietJsonSchema)
    except PydanticUserError as error:
        reason = str(error.message).splitlines()[0]
        raise SchemaError(f"{name}: pydantic cannot describe this model: {reason}; use types that JSON has") from error
    return _Translation(name, document.get("$defs", {})).schema(document, "", ())


def schema_hash(schema: Mapping[str, Any]) -> str:
    """SHA-256 in hexadecimal of the schema as compact JSON with sorted keys."""
    text = json.dumps(schema, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


class _Translation:
    """One model's JSON Schema on its way to the subset. ``path``: the field, as in ``blocks[].kind``; ``open_refs``:
    the definitions that are being inlined around it."""

    def __init__(self, model: str, definitions: Mapping[str, Schema]) -> None:
        self._model = model
        self._definitions = definitions

    def schema(self, node: Schema, path: str, open_refs: tuple[str, ...]) -> Schema:
        node, open_refs = self._resolved(node, path, open_refs)
        unknown = sorted(set(node) - _HANDLED - _DROPPED)
        if unknown:
            raise self._refusal(path, f"the keyword {unknown[0]!r} is not in the subset", "take it out of the field")
        branches, nullable = self._branches(node)
        if len(branches) == 1:
            described = {"description": node["description"]} if "description" in node else {}
            result = self.schema({**branches[0], **described}, path, open_refs)
        elif branches:
            result = {"anyOf": [self.schema(branch, path, open_refs) for branch in branches]}
            self._describe(result, node)
        else:
            result = self._plain(node, path, open_refs)
        if nullable or node.get("nullable"):
            result["nullable"] = True
        return result

    def _resolved(self, node: Schema, path: str, open_refs: tuple[str, ...]) -> tuple[Schema, tuple[str, ...]]:
        """The node with its ``$ref`` and a lone ``allOf`` inlined; what stands beside a reference wins over it."""
        while "$ref" in node or "allOf" in node:
            beside = {key: value for key, value in node.items() if key not in ("$ref", "allOf")}
            if "$ref" in node:
                name = node["$ref"].rpartition("/")[2]
                if name in open_refs:
                    raise self._refusal(path, f"{name} contains itself", "bound the depth with a model for each level")
                open_refs = (*open_refs, name)
                target = self._definitions[name]
            elif len(node["allOf"]) == 1:
                target = node["allOf"][0]
            else:
                raise self._refusal(path, "'allOf' is not in the subset", "write the fields into one model")
            node = {**target, **beside}
        return node, open_refs

    @staticmethod
    def _branches(node: Schema) -> tuple[list[Schema], bool]:
        """The branches of a union without null, and whether null was among them."""
        union = node.get("anyOf") or node.get("oneOf") or []
        branches = [branch for branch in union if branch != _NULL]
        return branches, len(branches) < len(union)

    def _plain(self, node: Schema, path: str, open_refs: tuple[str, ...]) -> Schema:
        if "enum" in node or "const" in node:
            return self._enum(node, path)
        kind = node.get("type")
        if kind == "object":
            return self._object(node, path, open_refs)
        if not isinstance(kind, str) or kind not in _TYPES:
            raise self._refusal(path, "any value at all would do", "give the field a type that JSON has, beside null")
        result: Schema = {"type": _TYPES[kind]}
        self._describe(result, node)
        if node.get("format") in _SENT_FORMATS:
            result["format"] = node["format"]
        result.update({key: node[key] for key in _KEPT if key in node})
        self._exclusive_bounds(result, node)
        if kind == "array":
            self._items(result, node, path, open_refs)
        return result

    def _enum(self, node: Schema, path: str) -> Schema:
        values = node["enum"] if "enum" in node else [node["const"]]
        texts = [value for value in values if value is not None]
        if not texts or not all(isinstance(value, str) for value in texts):
            raise self._refusal(path, "an enum or Literal holds more than strings", "make its values strings")
        if "" in texts:
            raise self._refusal(path, "an enum holds the empty text", "give it a word, or make the field optional")
        result: Schema = {"type": "STRING", "format": "enum"}
        self._describe(result, node)
        result["enum"] = texts
        if len(texts) < len(values):
            result["nullable"] = True
        return result

    def _object(self, node: Schema, path: str, open_refs: tuple[str, ...]) -> Schema:
        properties = node.get("properties", {})
        free = node.get("additionalProperties")
        if isinstance(free, dict) or (free and not properties):
            raise self._refusal(path, "a map with free keys", "use a list of models with a key and a value field")
        if not properties:
            raise self._refusal(path, "a model without fields", "give it a field")
        result: Schema = {"type": "OBJECT"}
        self._describe(result, node)
        result["properties"] = {
            name: self.schema(child, f"{path}.{name}" if path else name, open_refs)
            for name, child in properties.items()
        }
        required = node.get("required", [])
        if required:
            result["required"] = list(required)
        result["propertyOrdering"] = list(properties)
        return result

    def _items(self, result: Schema, node: Schema, path: str, open_refs: tuple[str, ...]) -> None:
        if "prefixItems" in node:
            raise self._refusal(path, "a tuple of fixed places", "use a model with named fields")
        if not node.get("items"):
            raise self._refusal(f"{path}[]", "any value at all would do", "say what the list holds: list[str]")
        result["items"] = self.schema(node["items"], f"{path}[]", open_refs)

    @staticmethod
    def _exclusive_bounds(result: Schema, node: Schema) -> None:
        """Whole numbers have a next one; for others the closed bound is sent and the description says the rest."""
        for exclusive, bound, step in (("exclusiveMinimum", "minimum", 1), ("exclusiveMaximum", "maximum", -1)):
            if exclusive not in node:
                continue
            limit = node[exclusive]
            whole = result["type"] == "INTEGER" and float(limit).is_integer()
            limit = int(limit) + step if whole else limit
            tighter = max if step > 0 else min
            result[bound] = tighter(limit, result[bound]) if bound in result else limit

    def _describe(self, result: Schema, node: Schema) -> None:
        """The description, with what the subset has no keyword for."""
        sentences = [node["description"].strip()] if node.get("description") else []
        if "format" in node and node["format"] not in _SENT_FORMATS:
            sentences.append(f"Format: {node['format']}.")
        if node.get("type") != "integer":
            sentences += [f"Greater than {node['exclusiveMinimum']}."] if "exclusiveMinimum" in node else []
            sentences += [f"Less than {node['exclusiveMaximum']}."] if "exclusiveMaximum" in node else []
        if "multipleOf" in node:
            sentences.append(f"A multiple of {node['multipleOf']}.")
        if node.get("uniqueItems"):
            sentences.append("No item twice.")
        if sentences:
            result["description"] = " ".join(sentences)

    def _refusal(self, path: str, problem: str, way_out: str) -> SchemaError:
        place = f"{self._model}: field {path}" if path else self._model
        return SchemaError(f"{place}: Gemini's responseSchema cannot say this: {problem}; {way_out}")

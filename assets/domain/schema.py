"""A pydantic model as Gemini's ``responseSchema``: an OpenAPI subset, with upper-case types and camelCase keywords.

Only the translation stands here. How much of a schema the service takes stands in `schema_limits`, how an answer gets
the form of the model again in `result_form`, what the model checks by code of its own in `own_checks`; validating is
the business of ``assets/validation.py``, how the schema travels that of ``assets/requests.py``.

What the subset has no keyword for, but words can say (an unknown format, ``multiple_of``, unique items), becomes a
sentence of the description: the model is told, and pydantic checks the answer anyway. What words cannot say is refused
before anything is sent, since Gemini refuses it only after the images are uploaded and the job has run. Where the
service is not documented the stricter reading holds: docs/own-schema.md has the rules, with their sources.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel
from pydantic.errors import PydanticUserError

from assets.domain.errors import SchemaError
from assets.domain.own_checks import own_checks
from assets.domain.result_form import KEY, ROOT_TYPES, VALUE, codes, free_values
from assets.domain.schema_limits import DEFAULT_LIMITS, Left, SchemaLimits, fit, said, too_long
from assets.domain.schema_place import CutOffError, Place, TooDeepError, referred
from assets.domain.schema_words import DECIMAL, DECIMAL_PATTERN, SENT_FORMATS, Described, as_text, in_words, is_sendable

Schema = dict[str, Any]

MOST_NODES = 20_000
"""A model that contains itself in many places would fill the memory before its length is known."""
_KEPT = ("pattern", "minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum")
_DROPPED = frozenset(
    {"title", "default", "examples", "example", "deprecated", "readOnly", "writeOnly", "$schema", "$comment", "$id"}
    | {"contentEncoding", "contentMediaType", "contentSchema", "discriminator"}
)
_HANDLED = frozenset(
    {"type", "description", "format", "enum", "const", "anyOf", "oneOf", "allOf", "items", "properties", "required"}
    | {"additionalProperties", "patternProperties", "propertyNames", "minProperties", "maxProperties", "prefixItems"}
    | {"$ref", "$defs", "uniqueItems", "multipleOf", "nullable", "digits", "places"}
    | {"exclusiveMinimum", "exclusiveMaximum", "propertyOrdering", *_KEPT}
)
_TYPES = {"string": "STRING", "number": "NUMBER", "integer": "INTEGER", "boolean": "BOOLEAN", "array": "ARRAY"}
_NULL: Schema = {"type": "null"}


@dataclass(frozen=True, slots=True)
class Translation:
    """``schema``: the responseSchema; ``left``: what of the model it does not say, and pydantic alone checks."""

    schema: Schema
    left: tuple[Left, ...]


def response_schema(model: type[BaseModel]) -> Schema:
    """The schema of `translated`, for a model of Gemini's of which nothing is known."""
    return translated(model).schema


def translated(
    model: type[BaseModel], limits: SchemaLimits = DEFAULT_LIMITS, *, takes_max_items: bool = True
) -> Translation:
    """The ``responseSchema`` that describes what ``model`` validates: by alias, in validation mode, since the answer is
    an input to the model. ``takes_max_items``: whether the model of Gemini's takes bounds of lists.

    Deterministic. Properties keep the order of the fields (``propertyOrdering``), which is the order in which Gemini
    writes them. An ``anyOf`` stands alone: null and description go into its branches. A discriminated union becomes
    such an ``anyOf``: the tag is an enum of one in each branch. A model that contains itself is written out as deep as
    ``limits.depth`` allows, and goes without there: the field must have a default. Raises SchemaError, which names
    model and field, for what cannot be said and for what is more than ``limits``.
    """
    name = f"{model.__module__}.{model.__qualname__}"
    try:
        document = model.model_json_schema(by_alias=True, mode="validation", schema_generator=Described)
    except PydanticUserError as error:
        reason = str(error.message).splitlines()[0]
        raise SchemaError(f"{name}: pydantic cannot describe this model: {reason}; use types that JSON has") from error
    work = _Work(name, document.get("$defs", {}), limits)
    try:
        schema = work.schema(document, Place())
    except TooDeepError as error:
        raise work.refusal(
            error.path,
            f"it lies more than {limits.depth} objects and lists deep",
            "make the model flatter, or raise limits.schema_depth if your model of Gemini's takes more",
        ) from None
    except CutOffError as error:
        raise work.refusal(
            error.path.removesuffix("[]"),
            f"{error.name} contains itself, and must somewhere end",
            "give the field a default, such as = [] or = None, so that the deepest one goes without",
        ) from None
    _check_root(work, schema)
    left = work.left + fit(schema, limits, takes_max_items=takes_max_items)
    if (found := too_long(schema, limits)) is not None:
        path, size, whole = found
        raise work.refusal(
            path,
            f"the schema has {whole:,} bytes, {size:,} of them here, and at most {limits.text_bytes:,} are taken",
            "shorten descriptions and enums, or raise limits.schema_bytes if your model of Gemini's takes more",
        )
    return Translation(schema, (*left, *own_checks(model)))


def schema_hash(schema: Mapping[str, Any]) -> str:
    """SHA-256 in hexadecimal of the schema as compact JSON with sorted keys."""
    text = json.dumps(schema, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _check_root(work: "_Work", schema: Schema) -> None:
    """A result is an object or a list: what else a root could be is written to no file."""
    for branch in schema.get("anyOf", [schema]):
        if branch["type"] not in ROOT_TYPES or branch.get("nullable"):
            raise work.refusal("", "a result is an object or a list", "make it a field of a model, or a list of it")


class _Work:
    """One model's JSON Schema on its way to the subset. ``left``: see `Translation`."""

    def __init__(self, model: str, definitions: Mapping[str, Schema], limits: SchemaLimits) -> None:
        self._model = model
        self._definitions = definitions
        self._limits = limits
        self._nodes = 0
        self.left: list[Left] = []

    def schema(self, node: Schema, at: Place) -> Schema:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise self.refusal(at.path, "the model has too many parts", "make it smaller, or flatter")
        before, is_again = len(self.left), at.open_refs
        node, at = self._resolved(node, at)
        name = at.open_refs[-1] if at.open_refs != is_again else ""
        try:
            return self._resolved_schema(node, at)
        except TooDeepError:
            if name not in is_again:
                raise
            del self.left[before:]
            raise CutOffError(name, at.path) from None

    def _resolved_schema(self, node: Schema, at: Place) -> Schema:
        unknown = sorted(set(node) - _HANDLED - _DROPPED)
        if unknown:
            raise self.refusal(at.path, f"the keyword {unknown[0]!r} is not in the subset", "take it out of the field")
        branches, nullable = self._branches(node)
        if len(branches) == 1:
            described = {"description": node["description"]} if "description" in node else {}
            result = self.schema({**branches[0], **described}, at)
        elif branches:
            return self._union(node, branches, at, nullable=nullable)
        else:
            result = self._plain(node, at)
        return self._with_null(result) if nullable or node.get("nullable") else result

    def _resolved(self, node: Schema, at: Place) -> tuple[Schema, Place]:
        """The node with its ``$ref`` and a lone ``allOf`` inlined; what stands beside a reference wins over it."""
        while "$ref" in node or "allOf" in node:
            beside = {key: value for key, value in node.items() if key not in ("$ref", "allOf")}
            if "$ref" in node:
                name = node["$ref"].rpartition("/")[2]
                at = replace(at, open_refs=(*at.open_refs, name))
                target = self._definitions[name]
            elif len(node["allOf"]) == 1:
                target = node["allOf"][0]
            else:
                raise self.refusal(at.path, "'allOf' is not in the subset", "write the fields into one model")
            node = {**target, **beside}
        return node, at

    @staticmethod
    def _branches(node: Schema) -> tuple[list[Schema], bool]:
        """The branches of a union without null, and whether null was among them."""
        union = node.get("anyOf") or node.get("oneOf") or []
        branches = [branch for branch in union if branch != _NULL]
        return branches, len(branches) < len(union)

    def _union(self, node: Schema, branches: list[Schema], at: Place, *, nullable: bool) -> Schema:
        """An ``anyOf`` alone: with any field beside it, every line was answered with 400 (public issues)."""
        self._check_branches([self._resolved(branch, at)[0] for branch in branches], at)
        found: list[Schema] = []
        cut: CutOffError | None = None
        for branch in branches:
            try:
                result = self.schema(branch, at)
            except CutOffError as error:
                cut = error
                continue
            found += result.get("anyOf", [result])
        if not found and cut is not None:
            raise cut
        for result in found:
            words = [node["description"].strip()] if node.get("description") else []
            words += [result["description"]] if result.get("description") else []
            if words:
                result["description"] = " ".join(words)
        whole: Schema = found[0] if len(found) == 1 else {"anyOf": found}
        return self._with_null(whole) if nullable or node.get("nullable") else whole

    def _check_branches(self, branches: list[Schema], at: Place) -> None:
        """What is asked for in another form must be told from the other branches in the answer."""
        maps = sum(free_values(branch) is not None for branch in branches)
        coded = sum(bool(codes(branch)) for branch in branches)
        if maps and (maps > 1 or any(branch.get("type") == "array" for branch in branches)):
            raise self.refusal(at.path, "a map with free keys or else a list", "use one of the two")
        if coded and (coded > 1 or any(branch.get("type") == "string" for branch in branches)):
            raise self.refusal(at.path, "an enum of numbers or else a text", "make its values strings")

    @staticmethod
    def _with_null(result: Schema) -> Schema:
        for branch in result.get("anyOf", [result]):
            branch["nullable"] = True
        return result

    def _plain(self, node: Schema, at: Place) -> Schema:
        if "enum" in node or "const" in node:
            return self._enum(node, at)
        kind = node.get("type")
        if kind == "object":
            return self._object(node, at) if free_values(node) is None else self._pairs(node, at)
        if not isinstance(kind, str) or kind not in _TYPES:
            raise self.refusal(at.path, "any value at all would do", "give the field a type that JSON has, beside null")
        result: Schema = {"type": _TYPES[kind]}
        if kind == "array":
            at = self._within(at, node)
        self._describe(result, node, at)
        if node.get("format") in SENT_FORMATS:
            result["format"] = node["format"]
        if node.get("format") == DECIMAL:
            return result | {"pattern": DECIMAL_PATTERN}
        result.update({key: node[key] for key in _KEPT if key in node})
        if "pattern" in result and not is_sendable(result["pattern"]):
            self.left.append(Left(at.path, f"the pattern {result.pop('pattern')}"))
        self._exclusive_bounds(result, node)
        if kind == "array":
            self._items(result, node, at)
        return result

    def _within(self, at: Place, node: Schema) -> Place:
        """Inside of the object or list that stands here."""
        if at.depth >= self._limits.depth:
            again = (name for name in referred(node.get("items")) if name in at.open_refs)
            raise next((CutOffError(name, at.path) for name in again), TooDeepError(at.path))
        return replace(at, depth=at.depth + 1)

    def _enum(self, node: Schema, at: Place) -> Schema:
        """The texts of the values: an enum of the service's holds no others (see `assets.domain.result_form`)."""
        values = node["enum"] if "enum" in node else [node["const"]]
        given = [value for value in values if value is not None]
        texts = list(codes(node)) or given
        if not texts or len(texts) < len(given):
            raise self.refusal(at.path, "two values of an enum or Literal read alike", "make its values strings")
        if "" in texts:
            raise self.refusal(at.path, "an enum holds the empty text", "give it a word, or make the field optional")
        result: Schema = {"type": "STRING", "format": "enum"}
        self._describe(result, node, at)
        result["enum"] = texts
        if len(given) < len(values):
            result["nullable"] = True
        return result

    def _object(self, node: Schema, at: Place) -> Schema:
        properties = node.get("properties", {})
        if isinstance(node.get("additionalProperties"), dict):
            raise self.refusal(at.path, "fields beside free keys", "put what is free into a field of its own")
        if not properties:
            raise self.refusal(at.path, "a model without fields", "give it a field")
        at = self._within(at, node)
        result: Schema = {"type": "OBJECT"}
        self._describe(result, node, at)
        required, found = node.get("required", []), {}
        for name, child in properties.items():
            before = len(self.left)
            try:
                found[name] = self.schema(child, at.field(name))
            except CutOffError as error:
                del self.left[before:]
                levels = at.open_refs.count(error.name)
                if name in required or not levels:
                    raise
                counted = f"{levels} level{'s' if levels > 1 else ''}"
                self.left.append(Left(at.field(name).path, f"{counted} of {error.name} and no more"))
        if not found:
            raise CutOffError(at.open_refs[-1], at.path)
        result["properties"] = found
        if required:
            result["required"] = list(required)
        result["propertyOrdering"] = list(found)
        return result

    def _pairs(self, node: Schema, at: Place) -> Schema:
        """A map with free keys as the list of its pairs."""
        pair_at = self._within(self._within(at, {"items": free_values(node)}), {"items": free_values(node)}).item()
        names = as_text(self._resolved(node.get("propertyNames", {}), pair_at)[0])
        for pattern in node.get("patternProperties", {}):
            names["pattern"] = pattern
        pair = {KEY: self.schema(names, pair_at.field(KEY))}
        pair[VALUE] = self.schema(free_values(node) or {}, pair_at.field(VALUE))
        result: Schema = {"type": "ARRAY"}
        self._describe(result, node, at)
        said(result, "No key twice.")
        for name, bound in (("minProperties", "minItems"), ("maxProperties", "maxItems")):
            if name in node:
                result[bound] = node[name]
        fields = [KEY, VALUE]
        result["items"] = {"type": "OBJECT", "properties": pair, "required": fields, "propertyOrdering": list(fields)}
        self.left.append(Left(at.path, "no key twice"))
        return result

    def _items(self, result: Schema, node: Schema, at: Place) -> None:
        items = node.get("items")
        if places := node.get("prefixItems"):
            if any(place != places[0] for place in places[1:]) or items not in (None, False):
                raise self.refusal(at.path, "a tuple of mixed types", "use a model with named fields")
            items = places[0]
        if not items:
            raise self.refusal(f"{at.path}[]", "any value at all would do", "say what the list holds: list[str]")
        result["items"] = self.schema(items, at.item())

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

    def _describe(self, result: Schema, node: Schema, at: Place) -> None:
        """The description, with what the subset has no keyword for."""
        told = list(in_words(node))
        self.left += [Left(at.path, sentence[0].lower() + sentence[1:].rstrip(".")) for sentence in told]
        sentences = [node["description"].strip()] if node.get("description") else []
        if sentences or told:
            result["description"] = " ".join([*sentences, *told])

    def refusal(self, path: str, problem: str, way_out: str) -> SchemaError:
        place = f"{self._model}: field {path}" if path else self._model
        return SchemaError(f"{place}: Gemini's responseSchema cannot say this: {problem}; {way_out}")

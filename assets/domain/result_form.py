"""What a schema may be at its root, what a result is taken to be, and how an answer in the form that Gemini was asked
for becomes one in the form of the model. Decided here and nowhere else; the form that is asked for is made in `schema`.

Two things are asked for in another form than the model has them, since the service's schema cannot say them:

- a map with free keys (``dict[str, X]``) is asked for as a list of ``{"key": ..., "value": ...}``;
- an enum or Literal of other values than texts (``Literal[1, 2]``) as the texts of its values.

Both are turned back before an answer is judged, by the model's own JSON Schema, which each batch manifest keeps: so
what was sent by another version of the model is turned back, too. What has the model's form already is left as it is,
so a result can be judged like an answer.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, TypeAlias, TypeGuard

from pydantic import BaseModel

Schema: TypeAlias = dict[str, Any]
Result: TypeAlias = dict[str, Any] | list[Any]
"""What a result is: a JSON object, or a list."""

ROOT_TYPES = ("OBJECT", "ARRAY")
"""What a schema may be at its root, in Gemini's words."""
IS_NONE = "is no JSON object and no list"
KEY, VALUE = "key", "value"
"""The fields of a pair, in the list that stands for a map."""


class KeyTwiceError(ValueError):
    """A key of a map came twice: one of its values would be lost."""


def is_result(value: object) -> TypeGuard[Result]:
    return isinstance(value, dict | list)


def has_root(result: Result, response_schema: Mapping[str, Any]) -> bool:
    """Whether it is a list, or an object, where a schema in Gemini's words has one at its root; a union has either."""
    kinds = {"OBJECT": dict, "ARRAY": list}
    return isinstance(result, kinds.get(response_schema.get("type", ""), (dict, list)))


def result_in(content: bytes) -> tuple[Result | None, str]:
    """The result that a file holds, or None and what is wrong with it, in words."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        return None, f"is no JSON ({error})"
    return (value, "") if is_result(value) else (None, IS_NONE)


def free_values(node: Schema) -> Schema | None:
    """The schema of the values of a map with free keys; None: ``node`` is no such map. ``node``: of a JSON Schema,
    without references."""
    if node.get("type") != "object" or node.get("properties"):
        return None
    if len(patterns := node.get("patternProperties", {})) == 1:
        found: Schema = next(iter(patterns.values()))
        return found
    values = node.get("additionalProperties")
    if values is True:
        return {}
    return values if isinstance(values, dict) else None


def codes(node: Schema) -> dict[str, Any]:
    """Text -> value, of an enum or const that holds more than texts; empty for any other node. Null is none of them."""
    values = node["enum"] if "enum" in node else [node["const"]] if "const" in node else []
    values = [value for value in values if value is not None]
    if all(isinstance(value, str) for value in values):
        return {}
    return {value if isinstance(value, str) else json.dumps(value): value for value in values}


@cache
def json_schema_of(model: type[BaseModel]) -> Mapping[str, Any]:
    """The model's own JSON Schema, made once: it takes pydantic 10 ms. Not to be changed."""
    return model.model_json_schema()


class ResultForm:
    """Turns answers back. ``result_schema``: the model's own JSON Schema (``model_json_schema()``); ``changes``:
    whether anything is asked for in another form than the model has."""

    def __init__(self, result_schema: Mapping[str, Any]) -> None:
        self._root = dict(result_schema)
        self._definitions: Mapping[str, Schema] = self._root.get("$defs", {})
        nodes = [self._root, *self._definitions.values()]
        self.changes = any(free_values(node) is not None or codes(node) for each in nodes for node in _nodes(each))

    def turned_back(self, value: Any) -> Any:
        """``value`` itself where nothing was asked for in another form. Raises KeyTwiceError."""
        return self._turned(self._root, value, "") if self.changes else value

    def _turned(self, node: Schema, value: Any, path: str) -> Any:
        node = self._resolved(node)
        if union := node.get("anyOf") or node.get("oneOf"):
            # A map would take any object, also that of another branch.
            branches = sorted(map(self._resolved, union), key=lambda each: free_values(each) is not None)
            fitting = next((each for each in branches if self._could_be(each, value)), None)
            return value if fitting is None else self._turned(fitting, value, path)
        if (values := free_values(node)) is not None:
            return self._map(values, value, path)
        if isinstance(value, str) and value not in _texts(node):
            return codes(node).get(value, value)
        if isinstance(value, dict):
            fields = node.get("properties", {})
            return {
                name: self._turned(fields[name], each, f"{path}.{name}" if path else name) if name in fields else each
                for name, each in value.items()
            }
        if isinstance(value, list):
            return self._list(node, value, path)
        return value

    def _list(self, node: Schema, value: list[Any], path: str) -> list[Any]:
        places, others = node.get("prefixItems", []), node.get("items")
        found = [self._turned(each, item, f"{path}[]") for each, item in zip(places, value, strict=False)]
        rest = value[len(found) :]
        return found + ([self._turned(others, item, f"{path}[]") for item in rest] if others else rest)

    def _map(self, values: Schema, value: Any, path: str) -> Any:
        if isinstance(value, dict):
            return {name: self._turned(values, each, f"{path}[]") for name, each in value.items()}
        if not isinstance(value, list) or not all(_is_pair(each) for each in value):
            return value
        found: dict[str, Any] = {}
        for each in value:
            if each[KEY] in found:
                raise KeyTwiceError(f"{path or 'the answer'}: a key comes twice")
            found[each[KEY]] = self._turned(values, each[VALUE], f"{path}[]")
        return found

    def _resolved(self, node: Schema) -> Schema:
        while "$ref" in node or len(node.get("allOf", [])) == 1:
            beside = {key: value for key, value in node.items() if key not in ("$ref", "allOf")}
            target = self._definitions[node["$ref"].rpartition("/")[2]] if "$ref" in node else node["allOf"][0]
            node = {**target, **beside}
        return node

    def _could_be(self, node: Schema, value: Any) -> bool:
        """Whether ``value`` has the form of this branch of a union: its type and, of an object, its fields and tags."""
        if inner := node.get("anyOf") or node.get("oneOf"):
            return any(self._could_be(self._resolved(each), value) for each in inner)
        if isinstance(value, str):
            return node.get("type") == "string" or value in codes(node) or value in _texts(node)
        if free_values(node) is not None:
            return isinstance(value, dict) or (isinstance(value, list) and all(_is_pair(each) for each in value))
        if isinstance(value, dict):
            return node.get("type") == "object" and self._has_fields(node, value)
        return isinstance(value, list) and node.get("type") == "array"

    def _has_fields(self, node: Schema, value: Mapping[str, Any]) -> bool:
        fields = node.get("properties", {})
        if not value.keys() <= fields.keys() or not set(node.get("required", [])) <= value.keys():
            return False
        tags = ((self._resolved(fields[name]), each) for name, each in value.items() if isinstance(each, str))
        return all(each in codes(tag) or each in _texts(tag) for tag, each in tags if "const" in tag or "enum" in tag)


def _texts(node: Schema) -> list[str]:
    """The texts of an enum or const."""
    values = node["enum"] if "enum" in node else [node["const"]] if "const" in node else []
    return [value for value in values if isinstance(value, str)]


def _is_pair(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == {KEY, VALUE} and isinstance(value[KEY], str)


def _nodes(node: Any) -> Iterator[Schema]:
    """``node`` and all that stands in it, references not followed."""
    if isinstance(node, list):
        for each in node:
            yield from _nodes(each)
    if isinstance(node, dict):
        yield node
        for each in node.values():
            yield from _nodes(each)

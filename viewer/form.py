"""The form in which a person corrects a result: made of the schema and of what the result says, and read back into one.
Pure. What is saved is judged by the schema itself (`flows.tables.corrections`), not here.

Each input is called by what it becomes and where it stands: ``s:blocks/0/text``. So what comes back is read without the
schema, and a result of another one can be shown and corrected as well.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from viewer.shown import is_hidden

MAX_DEPTH = 3
"""Objects within objects deeper than this are edited as JSON."""
NEW = "NEW"
"""Stands for the place of an item that a person adds."""
LONG = 70
"""A text of so many letters has more than one line."""


class Raw(str):
    """What was typed where it cannot be what it should be: it is shown again as it was."""

    __slots__ = ()


@dataclass(frozen=True)
class FormField:
    """``kind``: text, line, choice, yes, whole, number, lines (a text a line), json, group or list; ``name``: of the
    input; ``value``: what stands in it, or for a choice which is chosen; ``fields``: of a group; ``items``: of a list,
    each a group; ``new``: an empty one."""

    kind: str
    name: str
    label: str
    help: str = ""
    value: str = ""
    choices: tuple[str, ...] = ()
    fields: tuple["FormField", ...] = ()
    items: tuple["FormField", ...] = ()
    new: "FormField | None" = None

    @property
    def rows(self) -> int:
        return min(24, max(1, sum(1 + len(line) // LONG for line in self.value.split("\n"))))


def form_of(schema: Mapping[str, Any], result: Any) -> tuple[FormField, ...] | None:
    """None: the result is no object of named fields, and is edited as JSON. ``result``: None for a page without one."""
    root = _Node.of(schema, schema)
    if not root.properties or (result is not None and not isinstance(result, dict)):
        return None
    return tuple(_fields(root, result or {}, "", 1))


def empty_of(schema: Mapping[str, Any]) -> Any:
    """What a person begins with on a page that has no result."""
    return _empty(_Node.of(schema, schema), 1)


@dataclass(frozen=True)
class _Node:
    """A place in the schema, its references followed. ``nullable``: it may be null."""

    root: Mapping[str, Any]
    said: Mapping[str, Any]
    nullable: bool = False

    @classmethod
    def of(cls, root: Mapping[str, Any], said: Mapping[str, Any]) -> "_Node":
        nullable, seen = False, 0
        while seen < 20:
            seen += 1
            if isinstance(ref := said.get("$ref"), str):
                target: Any = root
                for step in ref.removeprefix("#/").split("/"):
                    target = target.get(step, {}) if isinstance(target, Mapping) else {}
                said = {**target, **{name: value for name, value in said.items() if name != "$ref"}}
                continue
            others = [each for each in said.get("anyOf", ()) if each.get("type") != "null"]
            if "anyOf" in said and len(others) == 1:
                nullable |= len(others) < len(said["anyOf"])
                said = {**others[0], **{name: value for name, value in said.items() if name != "anyOf"}}
                continue
            break
        return cls(root, said, nullable)

    @property
    def type(self) -> str:
        return str(self.said.get("type", "")) if "anyOf" not in self.said else ""

    @property
    def properties(self) -> Mapping[str, Any]:
        found = self.said.get("properties")
        return found if self.type == "object" and isinstance(found, Mapping) else {}

    @property
    def choices(self) -> tuple[Any, ...]:
        only = (self.said["const"],) if "const" in self.said else ()
        return tuple(self.said["enum"]) if "enum" in self.said else only

    def below(self, said: Any) -> "_Node":
        return _Node.of(self.root, said if isinstance(said, Mapping) else {})

    @property
    def item(self) -> "_Node":
        return self.below(self.said.get("items"))


def _fields(node: _Node, value: Mapping[str, Any], place: str, depth: int) -> Iterator[FormField]:
    for name, said in node.properties.items():
        yield _field(node.below(said), value.get(name), name, f"{place}{_escaped(name)}", depth)
    # What another schema has made, and this one does not know, is shown too.
    for name in value.keys() - node.properties.keys():
        yield _json(value[name], name, f"{place}{_escaped(name)}", "not of today's schema")


def _field(node: _Node, value: Any, label: str, place: str, depth: int) -> FormField:
    words = str(node.said.get("description", ""))
    if isinstance(value, Raw):
        kind, mark = {"integer": ("whole", "i"), "number": ("number", "f")}.get(node.type, ("json", "j"))
        return FormField(kind, f"{mark}:{place}", label, words, str(value))
    if node.choices:
        texts = tuple(json.dumps(each, ensure_ascii=False) for each in node.choices)
        chosen = json.dumps(value, ensure_ascii=False)
        offered = tuple(dict.fromkeys(_offered(node, texts, chosen)))
        return FormField("choice", f"j:{place}", label, words, chosen, offered)
    match node.type:
        case "string" if value is None or (isinstance(value, str) and not any(map(is_hidden, value))):
            kind = "line" if "pattern" in node.said or "format" in node.said else "text"
            return FormField(kind, f"{'n' if node.nullable else 's'}:{place}", label, words, value or "")
        case "boolean" if isinstance(value, bool):
            return FormField("yes", f"b:{place}", label, words, "1" if value else "")
        case "integer" | "number" if value is None or (isinstance(value, int | float) and type(value) is not bool):
            kind, mark = ("whole", "i") if node.type == "integer" else ("number", "f")
            return FormField(kind, f"{mark}:{place}", label, words, "" if value is None else json.dumps(value))
        case "object" if node.properties and isinstance(value, Mapping) and depth < MAX_DEPTH:
            return FormField("group", place, label, words, fields=tuple(_fields(node, value, f"{place}/", depth + 1)))
        case "array" if isinstance(value, list):
            return _list(node, value, label, place, depth)
    return _json(value, label, place, words)


def _list(node: _Node, value: list[Any], label: str, place: str, depth: int) -> FormField:
    words, item = str(node.said.get("description", "")), node.item
    if item.properties and depth < MAX_DEPTH and all(isinstance(each, Mapping) for each in value):

        def group(at: int | str, said: Mapping[str, Any]) -> FormField:
            return FormField("group", str(at), "", fields=tuple(_fields(item, said, f"{place}/{at}/", depth + 1)))

        items = tuple(group(at, each) for at, each in enumerate(value))
        return FormField("list", place, label, words, items=items, new=group(NEW, _empty(item, depth + 1)))
    texts = [each for each in value if isinstance(each, str) and "\n" not in each and not any(map(is_hidden, each))]
    if item.type == "string" and not item.choices and len(texts) == len(value) and "" not in texts:
        return FormField("lines", f"l:{place}", label, words, "\n".join(texts))
    return _json(value, label, place, words)


def _json(value: Any, label: str, place: str, words: str) -> FormField:
    return FormField("json", f"j:{place}", label, words, visible_json(value, indent=None))


def _offered(node: _Node, texts: Sequence[str], chosen: str) -> Iterator[str]:
    if node.nullable or None in node.choices:
        yield "null"
    yield from texts
    yield chosen


def _empty(node: _Node, depth: int) -> Any:
    if "default" in node.said:
        return node.said["default"]
    if node.nullable:
        return None
    if node.choices:
        return node.choices[0]
    if node.type == "object" and depth <= MAX_DEPTH:
        return {name: _empty(node.below(said), depth + 1) for name, said in node.properties.items()}
    return {"string": "", "boolean": False, "array": [], "object": {}}.get(node.type)


def visible_json(value: Any, *, indent: int | None = 2) -> str:
    """As JSON in which everything that is hidden is escaped, so that it is seen, and survives an editor."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return "".join(json.dumps(each)[1:-1] if is_hidden(each) else each for each in text)


# --- what comes back


@dataclass
class Read:
    """``result``: what was typed, with Raw where it cannot be what it should be; ``problems``: why, a line each."""

    result: Any
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Leaf:
    value: Any


def result_of(inputs: Sequence[tuple[str, str]]) -> Read:
    """``inputs``: name and value of each, in their order in the form."""
    tree: dict[str, Any] = {}
    order: dict[str, list[str]] = {}
    dropped, read = set[str](), Read(None)
    for name, text in inputs:
        mark, _, place = name.partition(":")
        text = text.replace("\r\n", "\n")
        if mark == "L":
            order.setdefault(place, [])
            _put(tree, place)
        elif mark == "k":
            order.setdefault(place, []).append(text)
            _put(tree, f"{place}/{text}")
        elif mark == "x":
            dropped.add(place)
        elif mark in _READERS and place:
            _put(tree, place, _Leaf(_value(mark, place, text, read)))
    read.result = _built(tree, "", order, dropped)
    return read


def _value(mark: str, place: str, text: str, read: Read) -> Any:
    try:
        return _READERS[mark](text)
    except (ValueError, RecursionError) as error:
        what = {"i": "no whole number", "f": "no number"}.get(mark, f"no JSON ({error})")
        read.problems.append(f"{place.replace('/', ' › ')}: this is {what}")
        return Raw(text)


def _whole(text: str) -> int | None:
    return int(text) if text.strip() else None


def _number(text: str) -> Any:
    return json.loads(text) if text.strip() else None


_READERS: Mapping[str, Callable[[str], Any]] = {
    "s": lambda text: text,
    "n": lambda text: text or None,
    "i": _whole,
    "f": _number,
    "b": bool,
    "j": json.loads,
    "l": lambda text: [line for line in text.split("\n") if line],
}
"""By the mark before a name: a text; one that is null where nothing stands in it; numbers; a box that is ticked; JSON;
a text a line. ``L:``, ``k:`` and ``x:`` are of lists: that there is one, the place of an item, that it is left out."""


def _put(tree: dict[str, Any], place: str, leaf: _Leaf | None = None) -> None:
    """Without a leaf: see that something can stand there."""
    *above, last = place.split("/")
    for step in above:
        below = tree.setdefault(step, {})
        if not isinstance(below, dict):
            return
        tree = below
    if leaf is not None:
        tree[last] = leaf
    else:
        tree.setdefault(last, {})


def _built(node: Any, place: str, order: Mapping[str, Sequence[str]], dropped: set[str]) -> Any:
    if isinstance(node, _Leaf):
        return node.value

    def below(step: str) -> Any:
        return _built(node[step], f"{place}/{step}" if place else step, order, dropped)

    if place in order:
        steps = dict.fromkeys(order[place])
        return [below(step) for step in steps if f"{place}/{step}" not in dropped and step in node]
    return {_unescaped(step): below(step) for step in node}


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1").replace(":", "~2")


def _unescaped(step: str) -> str:
    return step.replace("~2", ":").replace("~1", "/").replace("~0", "~")

"""How YAML, the environment and ``.env`` become plain trees of values, and how what is wrong with them is said.

Only this module opens those sources. Nothing here knows a certain setting: what is allowed where is read from the
models. The environment is walked by hand and not by pydantic-settings, where a value below a free mapping stays text
(``temperature`` would be sent as ``"0.2"``), an unknown section is passed over, and errors do not name a variable.
"""

import difflib
import io
import json
import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

import yaml
from dotenv import dotenv_values
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from assets.domain.errors import ConfigError, words_of

MAX_FILE_BYTES = 1_000_000
"""A configuration is a page or two."""
MAX_VALUES = 10_000
"""The most values of a configuration, aliases (``*name``) unfolded: a few lines of them can mean billions."""
PREFIX = "QUIRE__"
NESTING = "__"
KEY_VARIABLE = "GEMINI_API_KEY"
KEY_BELONGS = f"an API key does not belong into settings; put it into the environment or .env as {KEY_VARIABLE}"

Tree = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. ``key``: dotted path, or "" for the whole source; ``source``: None for the YAML file."""

    message: str
    key: str = ""
    source: str | None = None


@dataclass(slots=True)
class Overrides:
    """What the environment sets: the values as a tree, and the variable that each dotted key came from."""

    tree: Tree = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def origin(self, key: str) -> str | None:
        """The variable that set ``key``, the section around it, or a part of it."""
        return origin_of(self.origins, key)


def origin_of(origins: Mapping[str, str], key: str) -> str | None:
    """The variable that set ``key``, the section around it, or a part of it; None: no variable did."""
    parts = key.split(".")
    around = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    below = (name for name in origins if name.startswith(f"{key}."))
    return next((origins[name] for name in (*around, *below) if name in origins), None)


class _Core:
    """YAML 1.2's core values (NO is a text, 007 too, 1849-05-01 is no date), and a key may stand only once."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  PyYAML's own way

    def get_single_node(self) -> yaml.Node | None:
        node: yaml.Node | None = super().get_single_node()  # type: ignore[misc]  # of the loader that it is mixed into
        if node is not None:
            self._count_values(node, {})
        return node

    def _count_values(self, node: yaml.Node, known: dict[int, int | None]) -> int:
        """How many values ``node`` means; each node is looked into once, however often an alias names it. ``known``: id
        of a node -> its values, None while it is counted."""
        if id(node) not in known:
            known[id(node)] = None
            below = node.value if isinstance(node, yaml.CollectionNode) else []
            pairs = (each if isinstance(each, tuple) else (each,) for each in below)
            known[id(node)] = 1 + sum(self._count_values(each, known) for pair in pairs for each in pair)
        values = known[id(node)]
        if values is None or values > MAX_VALUES:
            problem = "an alias stands within what it names" if values is None else f"more than {MAX_VALUES:,} values"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        return values

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: dict[object, int] = {}
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)  # type: ignore[attr-defined]
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key_node.value!r} is no text; put it in quotes", key_node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands there twice, first in line {seen[key]}", key_node.start_mark
                )
            seen[key] = key_node.start_mark.line + 1
        found: dict[Hashable, Any] = super().construct_mapping(node, deep=deep)  # type: ignore[misc]
        return found


class _Loader(_Core, yaml.SafeLoader):
    """Says best what is wrong, and where."""


class _FastLoader(_Core, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # not everywhere
    """Reads a good file in a tenth of the time."""


for _loader in (_Loader, _FastLoader):
    _loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), [*"~nN", ""])
    _loader.add_implicit_resolver(
        "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), [*"tTfF"]
    )
    _loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9_]*)$"), [*"-+0123456789"])
    _loader.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*|(?=[eE])))(?:[eE][-+]?[0-9]+)?$"),
        [*"-+.0123456789"],
    )


def _parsed(text: str) -> object:
    try:
        return yaml.load(text, Loader=_FastLoader)  # noqa: S506  a SafeLoader
    except (yaml.YAMLError, RecursionError):
        return yaml.load(text, Loader=_Loader)  # noqa: S506  likewise


def read_yaml(path: Path) -> Tree:
    """The mapping in the file; an empty file is an empty mapping. Raises ConfigError, with the line if there is one."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ConfigError(f"it has more than {MAX_FILE_BYTES:,} bytes; is it a configuration?", source=str(path))
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError("there is no such file; give one with --config or QUIRE_CONFIG", source=str(path)) from None
    except UnicodeDecodeError:
        raise ConfigError("it is not UTF-8 text; save it as UTF-8", source=str(path)) from None
    except OSError as error:
        raise ConfigError(f"cannot be read: {words_of(error)}", source=str(path)) from None
    try:
        tree = _parsed(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}: " if mark else ""
        raise ConfigError(f"{place}not good YAML: {error.problem or error.context}", source=str(path)) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"not good YAML: {' '.join(str(error).split())}", source=str(path)) from None
    except RecursionError:
        raise ConfigError("not good YAML: it is nested too deeply", source=str(path)) from None
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        # PyYAML's own, of a tag that does not fit its value (!!int abc), or a number of thousands of digits.
        raise ConfigError(f"not good YAML: a value makes no sense ({type(error).__name__})", source=str(path)) from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError("must be a mapping of settings, like 'execution: {max_retries: 3}'", source=str(path))
    # A section whose lines are all commented out is read as null.
    return {name: value for name, value in tree.items() if value is not None}


def read_environment(model: type[BaseModel], environ: Mapping[str, str]) -> Overrides:
    """The variables ``QUIRE__SECTION__KEY`` as a tree shaped like ``model``.

    Lists, mappings and whole sections are written as JSON, all else as plain text; ``null`` where it may be null.
    """
    found = Overrides()
    for name in sorted(environ):
        if name.startswith("QUIRE_") and not name.startswith(PREFIX) and NESTING in name:
            problem = f"a setting's variable begins with {PREFIX}, with two underscores; rename or remove it"
            found.problems.append(Problem(problem, source=name))
    for name in sorted(name for name in environ if name.upper().startswith(PREFIX)):
        parts = [part.lower() if part.isupper() else part for part in name[len(PREFIX) :].split(NESTING)]
        annotation: Any = model
        known: list[str] | None = None
        for part in parts:
            known, annotation = _below(annotation, part)
            if known is not None:
                break
        key = ".".join(parts)
        if known is not None:
            found.problems.append(Problem(_unknown(part, known), source=name))
            continue
        try:
            value = _value(environ[name], annotation)
        except (ValueError, RecursionError):
            found.problems.append(Problem('must be JSON, like ["AL", "CA"] or {"start": 1}', key, name))
            continue
        merge_at(found.tree, parts, value)
        found.origins[key] = name
    return found


def find_keys(tree: object, path: tuple[str, ...] = ()) -> Iterator[str]:
    """The dotted paths of whatever in ``tree`` is named like an API key."""
    if isinstance(tree, Mapping):
        for name, value in tree.items():
            if str(name).replace("_", "").replace("-", "").lower().endswith("apikey"):
                yield ".".join((*path, str(name)))
            else:
                yield from find_keys(value, (*path, str(name)))
    elif isinstance(tree, list):
        for value in tree:
            yield from find_keys(value, path)


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> Tree:
    """Both trees; where they differ, ``above`` wins. Mappings are merged, lists are replaced."""
    merged = dict(below)
    for name, value in above.items():
        old = merged.get(name)
        merged[name] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def merge_at(tree: Tree, path: Sequence[str], value: object) -> None:
    """Put ``value`` at ``path``."""
    above: object = value
    for part in reversed(path):
        above = {part: above}
    assert isinstance(above, dict)  # noqa: S101  a path has at least one part
    tree.update(merge(tree, above))


def read_dotenv(path: Path) -> dict[str, str]:
    """The lines of a ``.env`` file; none when there is no such file. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError:
        raise ConfigError("it is not UTF-8 text; save it as UTF-8", source=str(path)) from None
    except OSError as error:
        raise ConfigError(f"cannot be read: {words_of(error)}", source=str(path)) from None
    if "\0" in text:  # UTF-16 without a mark
        raise ConfigError("it is not UTF-8 text; save it as UTF-8", source=str(path))
    lines = dotenv_values(stream=io.StringIO(text), interpolate=False)
    return {name: value for name, value in lines.items() if value is not None}


def problem_of(model: type[BaseModel], error: ErrorDetails) -> Problem:
    """What pydantic found, in one sentence that never shows a text which somebody typed."""
    context = error.get("ctx", {})
    location = [str(part) for part in error["loc"]]
    key = str(context.get("key", ".".join(location)))
    kind, value = error["type"], error["input"]
    bound = next((context[name] for name in ("ge", "gt", "le", "lt") if name in context), None)
    match kind:
        case "extra_forbidden":
            annotation: Any = model
            for part in location[:-1]:
                _, annotation = _below(annotation, part)
            return Problem(_unknown(location[-1], _names(annotation)), key)
        case "greater_than_equal" | "less_than_equal":
            word = "at least" if kind == "greater_than_equal" else "at most"
            return Problem(f"must be {word} {bound}, not {value}", key)
        case "int_type" | "int_parsing" | "int_from_float" | "int_parsing_size":
            return Problem("must be a whole number", key)
        case "float_type" | "float_parsing" | "finite_number":
            return Problem("must be a number", key)
        case "bool_type" | "bool_parsing":
            return Problem("must be true or false", key)
        case "model_type" | "dict_type" | "mapping_type":
            return Problem("must be a mapping of keys to values", key)
        case "tuple_type" | "list_type":
            return Problem("must be a list", key)
        case "too_short":
            return Problem(f"must have at least {context['min_length']} entry", key)
        case "too_long":
            return Problem(f"must have at most {context['max_length']} entries", key)
        case "string_type":
            return Problem("must be a text; put it in quotes", key)
        case "date_type" | "date_parsing" | "date_from_datetime_parsing" | "date_from_datetime_inexact":
            return Problem("must be a day such as 2026-12-31", key)
        case "path_type":
            return Problem("must be a path", key)
        case "enum" | "literal_error":
            return Problem(f"must be one of {context['expected']}", key)
    message = error["msg"]
    return Problem(message[0].lower() + message[1:], key)


def raise_first(problems: Sequence[Problem], source: str) -> None:
    """Raise ConfigError for the first problem, if there is one; the message counts the others."""
    if problems:
        first, more = problems[0], len(problems) - 1
        message = f"{first.message} (and {more} more)" if more else first.message
        raise ConfigError(message, source=first.source or source, key=first.key)


def _below(annotation: Any, part: str) -> tuple[list[str] | None, Any]:
    """What stands under ``part``: (None, its annotation), or (the names that are known here, None)."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        found = next((info for name, info in annotation.model_fields.items() if _alias(name, info) == part), None)
        return (None, _bare(found.annotation)) if found is not None else (_names(annotation), None)
    if annotation is None or _is_mapping(annotation):
        # Below a free mapping anything may stand; the mapping's own validator judges it.
        return (None, None) if part else ([], None)
    return ([], None)


def _names(annotation: Any) -> list[str]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [_alias(name, info) for name, info in annotation.model_fields.items()]
    return []


def _alias(name: str, info: FieldInfo) -> str:
    return info.alias or name


def _bare(annotation: Any) -> Any:
    """An annotation without Annotated."""
    return get_args(annotation)[0] if hasattr(annotation, "__metadata__") else annotation


def _is_mapping(annotation: Any) -> bool:
    origin = get_origin(annotation)
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _value(text: str, annotation: Any) -> Any:
    """The variable's text as a value for ``annotation``; None as annotation: somewhere below a free mapping.

    Raises ValueError where JSON is needed and the text is none.
    """
    if annotation is None:
        try:
            return _json(text)
        except ValueError:
            return text
    if _is_mapping(annotation) or get_origin(annotation) in (tuple, list):
        return _json(text)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _json(text)
    optional = get_origin(annotation) in (Union, UnionType) and type(None) in get_args(annotation)
    return None if optional and text == "null" else text


def _json(text: str) -> Any:
    def refuse(constant: str) -> None:
        raise ValueError(constant)

    return json.loads(text, parse_constant=refuse)


def _unknown(name: str, known: Sequence[str]) -> str:
    if name.replace("_", "").replace("-", "").lower().endswith("apikey"):
        return KEY_BELONGS
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"unknown key {name!r}; did you mean {close[0]!r}?"
    if not known:
        return f"unknown key {name!r}; there is nothing below this setting"
    return f"unknown key {name!r}; the keys here are {', '.join(known)}"

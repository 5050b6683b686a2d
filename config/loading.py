"""How the environment and ``.env`` become plain trees of values, as `config.yaml_files` makes them of YAML, and how
what is wrong with them is said.

Only these two modules open those sources. Nothing here knows a certain setting: what is allowed where is read from the
models. The environment is walked by hand and not by pydantic-settings, where a value below a free mapping stays text
(``temperature`` would be sent as ``"0.2"``), an unknown section is passed over, and errors do not name a variable.
"""

import difflib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from dotenv import dotenv_values
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from assets.domain.errors import ConfigError, words_of
from config.yaml_files import Tree

PREFIX = "QUIRE__"
NESTING = "__"
KEY_VARIABLE = "GEMINI_API_KEY"
KEY_BELONGS = f"an API key does not belong into settings; put it into the environment or .env as {KEY_VARIABLE}"


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

"""How a YAML file becomes a plain tree of values, or one line that says what is wrong with it and where."""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from assets.domain.errors import ConfigError, words_of

MAX_FILE_BYTES = 1_000_000
"""A configuration is a page or two."""
MAX_VALUES = 10_000
"""The most values of a configuration, aliases (``*name``) unfolded: a few lines of them can mean billions."""

Tree = dict[str, Any]


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

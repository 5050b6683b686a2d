"""Where the translation of a schema stands, and how it tells that it cannot go deeper there."""

from dataclasses import dataclass, replace
from typing import Any


class TooDeepError(Exception):
    """An object or list deeper than the service takes."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class CutOffError(Exception):
    """A model that contains itself, where it does not go on. ``path``: the field that would go on."""

    def __init__(self, name: str, path: str) -> None:
        super().__init__(name)
        self.name, self.path = name, path


@dataclass(frozen=True, slots=True)
class Place:
    """``path``: the field, as in ``blocks[].kind``; ``open_refs``: the definitions that are being written out around
    it; ``depth``: how many objects and lists are around it."""

    path: str = ""
    open_refs: tuple[str, ...] = ()
    depth: int = 0

    def field(self, name: str) -> "Place":
        return replace(self, path=f"{self.path}.{name}" if self.path else name)

    def item(self) -> "Place":
        return replace(self, path=f"{self.path}[]")


def referred(node: Any) -> list[str]:
    """The names of the definitions that a node refers to by itself or in a branch."""
    if not isinstance(node, dict):
        return []
    own = [node["$ref"].rpartition("/")[2]] if "$ref" in node else []
    branches = [*node.get("anyOf", []), *node.get("oneOf", []), *node.get("allOf", [])]
    return own + [name for branch in branches for name in referred(branch)]

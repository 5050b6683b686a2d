"""What a person means who names a setting to compare: the overrides of the collection's own settings, as a tree. Pure;
files are read, and values judged, in `config.variants`.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from assets.domain.errors import QuireError
from assets.domain.record import SEPARATOR

CURRENT = "current"
"""The settings as they are."""
FROZEN = ("model", "prompt", "schema", "schema_options", "uploads")
"""The sections that decide what is asked for: a run keeps them as they were when it was made."""
SHORT = {
    "model": "model.name",
    "media_resolution": "model.generation_config.media_resolution",
    "max_side_pixels": "uploads.max_side_pixels",
}
_PARTS = ("model.", "prompt.", "schema_options.")
_WHOLE = ("schema", "uploads.max_side_pixels", "uploads.jpeg_quality")


def is_pairs(word: str) -> bool:
    """Whether it is ``model=...,prompt=...``, and no name of a file."""
    return "=" in word


def parse_pairs(word: str) -> dict[str, Any]:
    """``model=gemini-3.5-flash-lite,prompt=v2`` as a tree of settings. Keys are those of SHORT, ``prompt`` (a version,
    or name and version), or settings with dots. Raises QuireError."""
    tree = dict[str, Any]()
    for pair in word.split(","):
        key, equals, value = pair.partition("=")
        key, value = key.strip(), value.strip()
        if not (key and equals and value):
            raise QuireError(
                f"{pair!r} is no setting: write model=gemini-3.5-flash-lite or prompt=v2, and commas between"
            )
        if key == "prompt":
            name, _, version = value.rpartition(SEPARATOR)
            _put(tree, "prompt.version", version)
            if name:
                _put(tree, "prompt.name", name)
        else:
            _put(tree, SHORT.get(key, key), _value(value))
    check_variant(tree)
    return tree


def check_variant(tree: Mapping[str, Any]) -> None:
    """Raise QuireError for a setting that cannot be compared."""
    for key in _keys(tree):
        if key in ("dpi", "render.dpi"):
            raise QuireError(
                "dpi cannot be compared: all pages of the PDFs would have to be rendered once more; make a second "
                "collection of some of them, with another render.dpi"
            )
        if key not in _WHOLE and not key.startswith(_PARTS):
            raise QuireError(
                f"{key} is no setting that can be compared; there are {', '.join(SHORT)}, prompt, schema, what is "
                f"below {', '.join(part.rstrip('.') for part in _PARTS)}, and uploads.jpeg_quality"
            )


def _keys(tree: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for name, value in tree.items():
        key = f"{above}{name}"
        if isinstance(value, Mapping) and key not in ("model.generation_config",):
            yield from _keys(value, f"{key}.")
        else:
            yield key


def _put(tree: dict[str, Any], key: str, value: Any) -> None:
    *above, last = key.split(".")
    for name in above:
        tree = tree.setdefault(name, {})
    tree[last] = value


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text

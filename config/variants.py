"""The settings of one side of a comparison: the collection's own of today, but for what a run keeps as it was when it
was made, and for its folders. What may be compared stands in `assets.variants`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assets.domain.errors import ConfigError, QuireError, words_of
from assets.variants import CURRENT, FROZEN, check_variant, is_pairs, parse_pairs
from config.loading import merge
from config.settings import Settings, settings_from, whole_tree
from config.yaml_files import Tree, read_yaml

VARIANTS = "variants"
"""The folder beside the settings in which a variant is a file, called by its name."""


def frozen_sections(word: str, source: Path, environ: Mapping[str, str]) -> Tree:
    """FROZEN, as far as they are set, of the settings in ``source`` under those of the environment, with what ``word``
    changes: ``current``, ``model=...,prompt=...``, a YAML file, or the name of one in the folder VARIANTS. Raises
    ConfigError, QuireError."""
    tree, _ = whole_tree(source, environ)
    return merge({name: tree[name] for name in FROZEN if name in tree}, _overrides(word, source.parent))


def _overrides(word: str, folder: Path) -> Tree:
    if word == CURRENT:
        return {}
    if is_pairs(word):
        return parse_pairs(word)
    path = Path(word) if word.endswith((".yaml", ".yml")) else folder / VARIANTS / f"{word}.yaml"
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise QuireError(
            f"{word}: say {CURRENT}, settings such as model=gemini-3.5-flash-lite,prompt=v2, a YAML file with settings "
            f"(.yaml), or make {path}"
        ) from None
    except OSError as error:
        raise ConfigError(f"cannot be looked at: {words_of(error)}", source=str(path)) from None
    found = read_yaml(path)
    check_variant(found)
    return found


def side_settings(
    source: Path, environ: Mapping[str, str], sections: Mapping[str, Any], *, collection: str, folder: Path
) -> Settings:
    """What a side of a run is read by. ``sections``: FROZEN, as the run keeps them; ``collection``: its name;
    ``folder``: absolute, where all that it makes lies. A page is told nothing of the page before: of a sample that is
    not there. Raises ConfigError."""
    tree, origins = whole_tree(source, environ)
    tree = {name: value for name, value in tree.items() if name not in FROZEN} | dict(sections)
    paths = {"manifests": str(folder), "output_results": str(folder / "results")}
    tree |= {"collection": collection, "context": {"mode": "none"}, "paths": {**tree.get("paths", {}), **paths}}
    return settings_from(tree, source, origins)

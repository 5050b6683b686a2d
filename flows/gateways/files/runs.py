"""``manifests/runs``: readings beside the results, to compare settings. A folder for each run, with ``run.json``, and
below it one for each side, which is the manifests of a small collection of its own; its results lie in it, too.
"""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from assets.domain.errors import ManifestError, QuireError
from flows.gateways.files.atomic import create_text, replace_text
from flows.gateways.files.decisions import read_json
from flows.gateways.files.formats import FORMAT, NEWEST_FORMAT
from flows.gateways.files.presence import is_there

RUNS = "runs"
REPLACED = "replaced"
"""No run: the results of before beside those that took their place."""
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_DOCUMENT = "run.json"


@dataclass(frozen=True, slots=True)
class Side:
    """``label``: ``a`` or ``b``; ``words``: what the person has called it; ``sections``: the settings that it keeps;
    ``expected_usd``: what it was expected to cost, None where no price was known."""

    label: str
    words: str
    sections: Mapping[str, Any]
    expected_usd: float | None


@dataclass(frozen=True, slots=True)
class Run:
    """``sides``: one, held against the results that stand, or two; ``pages``: how many were drawn, by ``seed``;
    ``has_ended``: nothing of it is left to be sent or settled."""

    name: str
    created_at: datetime
    seed: int
    pages: int
    sides: tuple[Side, ...]
    has_ended: bool = False

    def as_json(self) -> dict[str, Any]:
        sides = [
            {
                "label": each.label,
                "words": each.words,
                "sections": dict(each.sections),
                "expected_usd": each.expected_usd,
            }
            for each in self.sides
        ]
        return {
            "name": self.name,
            "created_at": self.created_at.isoformat(),
            "seed": self.seed,
            "pages": self.pages,
            "sides": sides,
            "has_ended": self.has_ended,
        }


def check_run_name(name: str) -> None:
    """Raise QuireError for what cannot be a run's name."""
    if name == REPLACED:
        raise QuireError(
            f"{REPLACED} cannot be a run's name: quire compare {REPLACED} is of results that were replaced"
        )
    if not _NAME.fullmatch(name):
        raise QuireError(
            f"{name!r} cannot be a run's name: small letters, digits and '-', at most 40, and no '-' first"
        )


class Runs:
    """Every method raises OSError, and ManifestError for a file that cannot be understood."""

    def __init__(self, manifests: Path) -> None:
        self._manifests = manifests
        self.folder = manifests / RUNS

    def owner(self) -> Path:
        """The manifests of the collection that all of this belongs to: those above, where these are a side's."""
        above = self._manifests.parent
        is_side = above.parent.name == RUNS and is_there(above / _DOCUMENT)
        return above.parent.parent if is_side else self._manifests

    def names(self) -> list[str]:
        """Of all runs, in the order of their names."""
        found = list[str]()
        with suppress(FileNotFoundError):
            found = sorted(path.name for path in self.folder.iterdir() if _NAME.fullmatch(path.name))
        return [name for name in found if is_there(self.folder / name / _DOCUMENT)]

    def place(self, name: str) -> Path:
        return self.folder / name

    def side_folders(self) -> list[Path]:
        """The manifests of each side of each run."""
        return [self.folder / name / side.label for name in self.names() for side in self.read(name).sides]

    def read(self, name: str) -> Run:
        """Raises QuireError where there is no such run."""
        if not _NAME.fullmatch(name):
            raise QuireError(f"{name!r} is no run")
        path = self.folder / name / _DOCUMENT
        try:
            document = read_json(path)
            sides = tuple(Side(**each) for each in document["sides"])
            return Run(
                name=name,
                created_at=datetime.fromisoformat(document["created_at"]),
                seed=int(document["seed"]),
                pages=int(document["pages"]),
                sides=sides,
                has_ended=bool(document["has_ended"]),
            )
        except FileNotFoundError:
            there = ", ".join(self.names()) or "none yet"
            raise QuireError(f"there is no run {name}; there are: {there}") from None
        except (KeyError, TypeError, ValueError) as error:
            raise ManifestError(path, f"is no run ({error}); restore it") from None

    def create(self, run: Run) -> None:
        """Raises QuireError where there is one of that name: what it has cost stays known under it."""
        if not create_text(self.folder / run.name / _DOCUMENT, _text(run)):
            raise QuireError(f"there is a run {run.name} already; quire compare {run.name} goes on with it")

    def write(self, run: Run) -> None:
        replace_text(self.folder / run.name / _DOCUMENT, _text(run))


def _text(run: Run) -> str:
    return json.dumps({**run.as_json(), FORMAT: NEWEST_FORMAT}, ensure_ascii=False, indent=1) + "\n"

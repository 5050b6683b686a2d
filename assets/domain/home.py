"""Which folder and which Prefect database belong together: what ``quire_home`` and ``manifests/home.json`` hold, and
how they may differ. Pure: `flows.runtime.home` reads and writes.

``quire_home`` also holds the newest submission that was ever claimed, written before it is, and how many were closed:
so a database or a folder from a backup is told from a person who has taken batches out of the active list.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from assets.domain.errors import WAY_BACK, LedgerError
from assets.domain.ledger import HOME, Ledger

ID, NEWEST, CLOSED = "id", "newest_submission", "closed"
COLLECTION, DOCUMENT_FIELDS = "collection", "record.document_fields"
OUTPUT_RESULTS, PAGE_IMAGES = "paths.output_results", "paths.page_images"


@dataclass(frozen=True, slots=True)
class Home:
    """What ``quire_home`` holds. ``newest``: the newest submission that was ever claimed, "" before the first one; None
    in a value from before this was noted, which is the id alone; ``closed``: how many were closed, or fewer."""

    id: str
    newest: str | None = ""
    closed: int = 0


@dataclass(frozen=True, slots=True)
class HomeFile:
    """What ``manifests/home.json`` holds. ``settings``: those that say whose the folder is, by their dotted names, as
    they were when it was made; None in a file from before these were noted."""

    id: str
    settings: Mapping[str, Any] | None = None


def parse_home(variable: str, value: object) -> Home:
    """The value of ``variable``. Raises LedgerError."""
    if isinstance(value, str) and value:
        return Home(value, None)
    if isinstance(value, dict):
        home_id, newest, closed = value.get(ID), value.get(NEWEST), value.get(CLOSED)
        if isinstance(home_id, str) and home_id and isinstance(newest, str) and type(closed) is int:
            return Home(home_id, newest, closed)
    raise LedgerError(
        variable, "it holds no id", way_out=f"put the id of manifests/home.json back into it, or {WAY_BACK}"
    )


def home_value(home: Home) -> dict[str, object]:
    """What is written of it."""
    return {ID: home.id, NEWEST: home.newest or "", CLOSED: home.closed}


def note_submissions(ledger: Ledger, newest: str, closed: int) -> Ledger:
    """The ledger that has heard of the submission ``newest`` and of so many that are ``closed``."""
    variable = f"{ledger.prefix}{HOME}"
    home = parse_home(variable, ledger.stored.get(variable))
    # Clocks differ: what is noted never goes back.
    home = replace(home, newest=max(home.newest or "", newest), closed=max(home.closed, closed))
    return replace(ledger, stored={**ledger.stored, variable: home_value(home)})


def changed_settings(then: Mapping[str, Any], there: Mapping[str, Any]) -> list[str]:
    """The names of those that differ; what ``then`` does not name is not known to."""
    return [name for name in then if name in there and then[name] != there[name]]

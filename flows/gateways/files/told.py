"""``manifests/told.json``: what was told of the collection as events, so that a state that lasts is not told by each
pass. Nothing else is decided by it: it can be deleted, and then what is so is told once more.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from assets.alarms import State, Told
from assets.domain.errors import ManifestError
from flows.gateways.files.atomic import replace_text
from flows.gateways.files.decisions import read_json
from flows.gateways.files.formats import FORMAT, NEWEST_FORMAT


@dataclass(frozen=True, slots=True)
class Telling:
    """``settlements``: how many had been told of; ``states``: what was told of each."""

    settlements: int
    states: Mapping[State, Told] = field(default_factory=dict)


class ToldFile:
    def __init__(self, manifests: Path) -> None:
        self._path = manifests / "told.json"

    def read(self) -> Telling | None:
        """None where there is none, or one that cannot be understood: the next one is written over it. Raises
        OSError."""
        try:
            document = read_json(self._path)
            states = {State(name): _told(each) for name, each in document["states"].items() if name in set(State)}
            return Telling(int(document["settlements"]), states)
        except (FileNotFoundError, ManifestError, KeyError, TypeError, ValueError, AttributeError):
            return None

    def write(self, telling: Telling) -> None:
        """Raises OSError."""
        states = {
            state.value: {
                "of": told.of,
                "at": told.at.isoformat(),
                "over_at": told.over_at.isoformat() if told.over_at else None,
            }
            for state, told in telling.states.items()
        }
        document = {"settlements": telling.settlements, "states": states, FORMAT: NEWEST_FORMAT}
        replace_text(self._path, json.dumps(document, ensure_ascii=False, indent=1) + "\n")


def _told(document: Mapping[str, str | None]) -> Told:
    at, over_at = datetime.fromisoformat(str(document["at"])), document["over_at"]
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    return Told(str(document["of"]), at, datetime.fromisoformat(over_at) if over_at else None)

"""``manifests/acts``: what a person has done with records by a command, a file for each act. For people who look at a
record's past: nothing is decided by it, and it can be deleted.
"""

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from assets.domain.errors import ManifestError, RecordKeyError
from assets.domain.record import decode_span, parse_key
from flows.gateways.files.atomic import replace_text
from flows.gateways.files.decisions import read_json
from flows.gateways.files.formats import FORMAT, NEWEST_FORMAT


@dataclass(frozen=True, slots=True)
class Act:
    """``at``: UTC; ``act``: the command's name."""

    at: datetime
    act: str


class Acts:
    """Every method raises OSError."""

    def __init__(self, manifests: Path, document_fields: Sequence[str]) -> None:
        self._folder = manifests / "acts"
        self._field_count = len(document_fields)

    def keep_act(self, act_id: str, act: Act, entries: Iterable[str]) -> None:
        """``act_id``: a new ULID, the file's name; ``entries``: keys and ranges."""
        document = {"act": act.act, "at": act.at.isoformat(), "records": list(entries), FORMAT: NEWEST_FORMAT}
        replace_text(self._folder / f"{act_id}.json", json.dumps(document, ensure_ascii=False, indent=1) + "\n")

    def of(self, record_key: str) -> list[Act]:
        """What was done with a record, the oldest first. Raises ManifestError for a file that cannot be understood."""
        key = parse_key(record_key, field_count=self._field_count)
        names = list[str]()
        with suppress(FileNotFoundError):
            names = sorted(path.name for path in self._folder.iterdir() if path.suffix == ".json")
        found = []
        for name in names:
            path = self._folder / name
            try:
                document = read_json(path)
                spans = (decode_span(each, field_count=self._field_count) for each in document["records"])
                if any(span.document == key.document and span.holds(key.label) for span in spans):
                    found.append(Act(datetime.fromisoformat(document["at"]), str(document["act"])))
            except (KeyError, TypeError, ValueError, RecordKeyError) as error:
                raise ManifestError(path, f"cannot be read ({error}); restore it, or delete it") from None
        return found

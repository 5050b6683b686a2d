"""The small files under manifests/ in which stands what a person has decided. All else that lies there is known to
`storage`, and whose the folder is to `home`.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from assets.breaker import Reset
from assets.domain.errors import ManifestError, RecordKeyError
from assets.domain.record import decode_ranges, encode_ranges
from flows.gateways.files.atomic import naming, replace_text
from flows.gateways.files.formats import FORMAT, NEWEST_FORMAT, check_format

LetGo = Literal["unanswered", "unjudged", "service_errors"]


@dataclass(frozen=True, slots=True)
class Breaker:
    """``manifests/breaker.json``. ``reset``: when a person let go of it last; ``told_of``: the reason for which it was
    last told that it is open."""

    reset: Reset | None = None
    told_of: str = ""


class Decisions:
    """Files in ``manifests``. Every method raises OSError for trouble with the disk, ManifestError for a file that
    cannot be understood; nothing is half written."""

    def __init__(self, manifests: Path, document_fields: Sequence[str]) -> None:
        self.manifests = manifests
        self.document_fields = tuple(document_fields)

    def read_accepted(self) -> set[str]:
        """The records whose missing result a person has accepted, and that have not been read again since."""
        return self._read_records("accepted_vanished.json", "restore it, or delete it")

    def write_accepted(self, record_keys: Collection[str]) -> None:
        self._write_json("accepted_vanished.json", {"records": encode_ranges(record_keys)})

    def read_let_go(self, what: LetGo = "unanswered") -> dict[str, int]:
        """Record key -> in how many batches in a row it had been without an answer when a person let go of it; or how
        many of its answers had been ``unjudged``, how many ``service_errors`` it had met in a row."""
        path = self.manifests / "let_go.json"
        try:
            found: dict[str, int] = {}
            for entry, count in read_json(path).get(what, {}).items():
                found |= dict.fromkeys(decode_ranges([entry], field_count=len(self.document_fields)), int(count))
            return found
        except FileNotFoundError:
            return {}
        except (KeyError, TypeError, ValueError, AttributeError, RecordKeyError) as error:
            raise ManifestError(path, f"cannot be read ({error}); restore it, or delete it") from None

    def write_let_go(self, counts: Mapping[LetGo, Mapping[str, int]]) -> None:
        self._write_json("let_go.json", {what: _as_ranges(of_records) for what, of_records in counts.items()})

    def read_breaker(self) -> Breaker:
        """What a person has said of the breaker, and what was told of it."""
        path = self.manifests / "breaker.json"
        try:
            document = read_json(path)
            at, settlement = document["reset_at"], document.get("reset_settlement")
            reset = Reset(datetime.fromisoformat(at), None if settlement is None else int(settlement)) if at else None
            return Breaker(reset, document["told_of"])
        except FileNotFoundError:
            return Breaker()
        except (KeyError, TypeError, ValueError) as error:
            raise ManifestError(path, f"cannot be read ({error}); restore it, or delete it") from None

    def write_breaker(self, breaker: Breaker) -> None:
        at = breaker.reset.at.isoformat() if breaker.reset else None
        settlement = breaker.reset.settlement if breaker.reset else None
        self._write_json("breaker.json", {"reset_at": at, "reset_settlement": settlement, "told_of": breaker.told_of})

    def _read_records(self, name: str, way_out: str) -> set[str]:
        path = self.manifests / name
        try:
            return set(decode_ranges(read_json(path)["records"], field_count=len(self.document_fields)))
        except FileNotFoundError:
            return set()
        except (KeyError, TypeError, ValueError, AttributeError, RecordKeyError) as error:
            raise ManifestError(path, f"cannot be read ({error}); {way_out}") from None

    def _write_json(self, name: str, document: Mapping[str, Any]) -> None:
        text = json.dumps({**document, FORMAT: NEWEST_FORMAT}, ensure_ascii=False, indent=1) + "\n"
        replace_text(self.manifests / name, text)


def _as_ranges(counts: Mapping[str, int]) -> dict[str, int]:
    by_count: dict[int, list[str]] = {}
    for key, count in counts.items():
        by_count.setdefault(count, []).append(key)
    return {entry: count for count, keys in sorted(by_count.items()) for entry in encode_ranges(keys)}


def read_json(path: Path) -> Mapping[str, Any]:
    """The object in a JSON file. Raises OSError, ValueError, TypeError, and ManifestError for one of a newer Quire."""
    with naming(path):
        document = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(document, dict):
        raise TypeError("no object")
    check_format(path, document.get(FORMAT))
    return document

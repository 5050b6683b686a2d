"""``manifests/tries``: what a person had read at once, a file for each try. It is written before the request is sent,
so that what a dead process has spent counts, and again with the answer.
"""

import json
from contextlib import suppress
from pathlib import Path

from assets.domain.errors import ManifestError
from assets.domain.tries import Try
from flows.gateways.files.atomic import replace_text
from flows.gateways.files.decisions import read_json
from flows.gateways.files.formats import FORMAT, NEWEST_FORMAT


class Tries:
    """Every method raises OSError."""

    def __init__(self, manifests: Path) -> None:
        self._folder = manifests / "tries"

    def path(self, try_id: str) -> Path:
        return self._folder / f"{try_id}.json"

    def write(self, noted: Try) -> None:
        document = {**noted.as_json(), FORMAT: NEWEST_FORMAT}
        replace_text(self.path(noted.try_id), json.dumps(document, ensure_ascii=False, indent=1) + "\n")

    def all(self) -> list[Try]:
        """The oldest first. Raises ManifestError for a file that cannot be understood: what it cost would be lost."""
        paths = list[Path]()
        with suppress(FileNotFoundError):
            paths = sorted(path for path in self._folder.iterdir() if path.suffix == ".json")
        return [self._read(path) for path in paths]

    def of(self, record_key: str) -> list[Try]:
        """Those of one record."""
        return [each for each in self.all() if each.record_key == record_key]

    @staticmethod
    def _read(path: Path) -> Try:
        try:
            return Try.from_json(read_json(path))
        except (KeyError, TypeError, ValueError) as error:
            raise ManifestError(path, f"cannot be read ({error}); restore it, or delete it") from None

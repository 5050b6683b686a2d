"""``manifests/stuck.json``: the batches that the last poll could not settle, and the pages that the last submit kept
back, each with cause and way out. For people to look at: nothing is decided by it, and it can be deleted.
"""

import json
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from assets.domain.errors import ManifestError
from flows.gateways.files.atomic import replace_text
from flows.gateways.files.decisions import read_json
from flows.gateways.files.formats import FORMAT, NEWEST_FORMAT

MAX_PAGES = 1_000
"""So many pages are noted: a share that cannot be written may hold as many as there are."""


class Stuck:
    def __init__(self, manifests: Path) -> None:
        self._path = manifests / "stuck.json"

    def read(self) -> dict[str, str]:
        """Name in the active list -> cause and way out; {} also for a file that cannot be understood, as the next poll
        writes another. Raises OSError."""
        return self._part("batches")

    def pages(self) -> dict[str, str]:
        """Record key -> why it is kept back, and the way out; likewise."""
        return self._part("pages")

    def write(self, causes: Mapping[str, str]) -> None:
        """Raises OSError. Nothing is written where it says the same already."""
        self._write(dict(causes), self.pages())

    def write_pages(self, reasons: Mapping[str, str]) -> None:
        """The first MAX_PAGES; likewise."""
        self._write(self.read(), dict(islice(reasons.items(), MAX_PAGES)))

    def _part(self, name: str) -> dict[str, str]:
        try:
            return {str(each): str(cause) for each, cause in read_json(self._path).get(name, {}).items()}
        except (FileNotFoundError, ManifestError, KeyError, TypeError, ValueError, AttributeError):
            return {}

    def _write(self, batches: dict[str, str], pages: dict[str, str]) -> None:
        if (self.read(), self.pages()) != (batches, pages):
            document = {"batches": batches, "pages": pages, FORMAT: NEWEST_FORMAT}
            replace_text(self._path, json.dumps(document, ensure_ascii=False, indent=1) + "\n")

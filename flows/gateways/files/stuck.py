"""``manifests/stuck.json``: the batches that the last poll could not settle, each with cause and way out. For people to
look at: nothing is decided by it, and it can be deleted.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from assets.domain.errors import ManifestError
from flows.gateways.files.atomic import replace_text
from flows.gateways.files.decisions import read_json
from flows.gateways.files.formats import FORMAT, NEWEST_FORMAT


class Stuck:
    def __init__(self, manifests: Path) -> None:
        self._path = manifests / "stuck.json"

    def read(self) -> dict[str, str]:
        """Name in the active list -> cause and way out; {} also for a file that cannot be understood, as the next poll
        writes another. Raises OSError."""
        try:
            return {str(name): str(cause) for name, cause in read_json(self._path)["batches"].items()}
        except (FileNotFoundError, ManifestError, KeyError, TypeError, ValueError, AttributeError):
            return {}

    def write(self, causes: Mapping[str, str]) -> None:
        """Raises OSError. Nothing is written where it says the same already."""
        if self.read() != dict(causes):
            document = {"batches": dict(causes), FORMAT: NEWEST_FORMAT}
            replace_text(self._path, json.dumps(document, ensure_ascii=False, indent=1) + "\n")

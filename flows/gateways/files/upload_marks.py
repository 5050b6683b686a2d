"""Marks of what is left to do for a submission beside the active list: which submissions may have files at Gemini, and
whether the failures of those are counted. Made before the first upload, gone when all files are deleted, so that what a
crash leaves behind is found again without a list of all files in each pass.
"""

import json
from contextlib import suppress
from pathlib import Path

from assets.domain.batch import is_submission_id
from flows.gateways.files.atomic import create_text, naming, replace_text
from flows.gateways.files.formats import FORMAT, NEWEST_FORMAT, check_format
from flows.gateways.files.presence import is_there


class UploadMarks:
    """``manifests/uploads/{submission id}.json``. Every method raises OSError."""

    def __init__(self, manifests: Path) -> None:
        self._folder = manifests / "uploads"

    def make(self, submission_id: str) -> None:
        """Before the first upload."""
        create_text(self._path(submission_id), _text(in_doubt=False, counted=False))

    def doubt(self, submission_id: str) -> None:
        """A try failed, and may have left a file of which nobody knows the name."""
        replace_text(self._path(submission_id), _text(in_doubt=True, counted=self._says(submission_id, "counted")))

    def count(self, submission_id: str) -> None:
        """Its failures are counted. Does nothing where there is no mark."""
        if is_there(self._path(submission_id)) and not self._says(submission_id, "counted"):
            in_doubt = self.is_in_doubt(submission_id)
            replace_text(self._path(submission_id), _text(in_doubt=in_doubt, counted=True))

    def is_in_doubt(self, submission_id: str) -> bool:
        """Whether files may be there that no manifest names. A mark that cannot be read is one."""
        return self._says(submission_id, "in_doubt", unread=True)

    def is_counted(self, submission_id: str) -> bool:
        """Whether the failures of a closed submission are known to be counted."""
        return self._says(submission_id, "counted")

    def remove(self, submission_id: str) -> None:
        """All files are deleted."""
        self._path(submission_id).unlink(missing_ok=True)

    def all(self) -> list[str]:
        """The submissions that have a mark, oldest first."""
        with suppress(FileNotFoundError):
            stems = [path.stem for path in self._folder.iterdir() if path.suffix == ".json"]
            return sorted(stem for stem in stems if is_submission_id(stem))
        return []

    def _says(self, submission_id: str, what: str, *, unread: bool = False) -> bool:
        try:
            with naming(self._path(submission_id)):
                text = self._path(submission_id).read_text(encoding="utf-8")
            document = json.loads(text)
            check_format(self._path(submission_id), document.get(FORMAT))
            return bool(document[what])
        except FileNotFoundError:
            return False
        except (ValueError, KeyError, TypeError, AttributeError):
            return unread

    def _path(self, submission_id: str) -> Path:
        return self._folder / f"{submission_id}.json"


def _text(*, in_doubt: bool, counted: bool) -> str:
    return json.dumps({"in_doubt": in_doubt, "counted": counted, FORMAT: NEWEST_FORMAT}) + "\n"

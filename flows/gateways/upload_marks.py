"""Marks of uploads: which submissions may have files at Gemini. Made before the first upload, gone when all of them are
deleted, so that what a crash leaves behind is found again without a list of all files in each pass.
"""

import json
from contextlib import suppress
from pathlib import Path

from assets.domain.batch import is_submission_id
from flows.gateways.files import create_text, replace_text


class UploadMarks:
    """``manifests/uploads/{submission id}.json``. Every method raises OSError."""

    def __init__(self, manifests: Path) -> None:
        self._folder = manifests / "uploads"

    def make(self, submission_id: str) -> None:
        """Before the first upload."""
        create_text(self._path(submission_id), _text(in_doubt=False))

    def doubt(self, submission_id: str) -> None:
        """A try failed, and may have left a file of which nobody knows the name."""
        replace_text(self._path(submission_id), _text(in_doubt=True))

    def is_in_doubt(self, submission_id: str) -> bool:
        """Whether files may be there that no manifest names. A mark that cannot be read is one."""
        try:
            return bool(json.loads(self._path(submission_id).read_text(encoding="utf-8"))["in_doubt"])
        except FileNotFoundError:
            return False
        except (ValueError, KeyError, TypeError):
            return True

    def remove(self, submission_id: str) -> None:
        """All files are deleted."""
        self._path(submission_id).unlink(missing_ok=True)

    def all(self) -> list[str]:
        """The submissions that have a mark, oldest first."""
        with suppress(FileNotFoundError):
            stems = [path.stem for path in self._folder.iterdir() if path.suffix == ".json"]
            return sorted(stem for stem in stems if is_submission_id(stem))
        return []

    def _path(self, submission_id: str) -> Path:
        return self._folder / f"{submission_id}.json"


def _text(*, in_doubt: bool) -> str:
    return json.dumps({"in_doubt": in_doubt}) + "\n"

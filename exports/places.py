"""Where the files of an export lie, which of them are whole, and how one takes its place. What was exported is noted in
a folder `STATE` beside it, and that alone is overwritten.

Nothing is synced to the disk file by file: an export can be made again, and a file that a power cut has shortened is
not what was noted. A note is written before its file takes its place: a note without its file means that it is to be
made.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from assets.domain.errors import QuireError

STATE = ".quire-export"
PART = ".quire-part"
"""A file that is being written. No document's name begins with a dot."""


@dataclass(frozen=True, slots=True)
class Note:
    """``at``: a file, relative to the export; ``input``: the hash of what it was made of; ``bytes``, ``modified_ns``:
    of the file."""

    at: str
    input: str
    bytes: int
    modified_ns: int


_NOTE = frozenset(each.name for each in fields(Note))


class Place:
    """A folder of files, or a single file, that one export at a time writes."""

    def __init__(self, to: Path, state: Path, kind: str) -> None:
        """``kind``: what is exported there, which must not change."""
        self.to, self._state, self._kind = to, state, kind
        self._notes: dict[str, Note] = {}

    @classmethod
    def folder(cls, to: Path, kind: str) -> "Place":
        """Raises QuireError for a folder that holds anything else."""
        if to.exists() and not to.is_dir():
            raise QuireError(f"{to} is a file, and this format makes a folder of files; name another place with --to")
        if to.is_dir() and not (to / STATE).is_dir() and any(to.iterdir()):
            raise QuireError(f"{to} is not empty, and nothing was exported into it; name a new folder with --to")
        return cls(to, to / STATE, kind)

    @classmethod
    def file(cls, to: Path, kind: str) -> "Place":
        """Raises QuireError for a file of somebody else's."""
        state = to.parent / f".{to.name}{STATE}"
        if to.is_dir():
            raise QuireError(f"{to} is a folder, and this format makes a single file; name a file with --to")
        if to.exists() and not state.is_dir():
            raise QuireError(f"{to} is there, and no export made it; name another file with --to")
        return cls(to, state, kind)

    @contextmanager
    def held(self) -> Iterator[None]:
        """For this export alone. Raises QuireError, OSError."""
        self._state.mkdir(parents=True, exist_ok=True)
        with (self._state / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise QuireError(f"another export into {self.to} is running; wait for its end") from None
            self.read()
            self._claim()
            yield

    def read(self) -> None:
        """Look what was exported here, and write nothing. Raises QuireError."""
        kind = self._state / "export.json"
        if kind.exists():
            said = _parsed(kind.read_text(encoding="utf-8", errors="replace"))
            if said.get("kind") != self._kind:
                raise QuireError(
                    f"{self.to} holds an export of {said.get('kind') or 'something else'}, and not of {self._kind}; "
                    "name another place with --to"
                )
        path = self._state / "notes.jsonl"
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []:
            # A line that is torn counts as none.
            said = _parsed(line)
            if said.keys() == _NOTE:
                self._notes[said["at"]] = Note(**said)

    def _claim(self) -> None:
        """Say what is exported here, once."""
        path = self._state / "export.json"
        if not path.exists():
            _replace_text(path, json.dumps({"kind": self._kind}) + "\n")

    def is_whole(self, at: str, input_hash: str) -> bool:
        """Whether the file is the one that was made of this input, as it was made."""
        note = self._notes.get(at)
        return note is not None and note.input == input_hash and self._is_as_noted(note)

    def _is_as_noted(self, note: Note) -> bool:
        try:
            found = self._path(note.at).stat()
        except FileNotFoundError:
            return False
        return (found.st_size, found.st_mtime_ns) == (note.bytes, note.modified_ns)

    def put(self, at: str, input_hash: Callable[[], str], write: Callable[[Path], None]) -> int:
        """Have a file written beside its place, and put it there; its size in bytes. ``input_hash``: asked when it is
        written. Raises QuireError for a file that a person has put there, or that would lie elsewhere through a link;
        OSError."""
        path = self._path(at)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.parent.resolve().is_relative_to(self.to.resolve()):
            raise QuireError(f"{path.parent} is a link that leads out of {self.to}; remove it")
        self._expect_own(at, path)
        part = path.parent / PART
        part.unlink(missing_ok=True)
        try:
            write(part)
            return self.take(at, input_hash(), part)
        finally:
            part.unlink(missing_ok=True)

    def take(self, at: str, input_hash: str, part: Path) -> int:
        """Put a file that is written in its place."""
        path = self._path(at)
        self._expect_own(at, path)
        found = part.stat()
        self._add(Note(at, input_hash, found.st_size, found.st_mtime_ns))
        part.replace(path)
        return found.st_size

    def _expect_own(self, at: str, path: Path) -> None:
        if path.is_symlink() or (path.exists() and at not in self._notes):
            raise QuireError(f"{path} is there, and no export made it; move it away")

    def _add(self, note: Note) -> None:
        with (self._state / "notes.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(note), ensure_ascii=False) + "\n")
        self._notes[note.at] = note

    def _path(self, at: str) -> Path:
        return self.to / at if at else self.to

    @property
    def part(self) -> Path:
        """Of a single file, what is written of it so far."""
        return self._state / "part"

    @property
    def journal(self) -> Path:
        """Of a single file, how far that is."""
        return self._state / "journal.jsonl"


def parsed_lines(path: Path) -> list[dict[str, Any]]:
    """The lines that are whole, up to the first that is not."""
    found: list[dict[str, Any]] = []
    if not path.exists():
        return found
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if not (said := _parsed(line)):
            break
        found.append(said)
    return found


def _parsed(text: str) -> dict[str, Any]:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _replace_text(path: Path, text: str) -> None:
    part = path.with_name(PART)
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)  # noqa: PTH105 - as above

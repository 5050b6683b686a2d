"""A backup of a collection on the disk: a folder with a copy of ``manifests``, the Variables, a list of the results,
and ``backup.json``, which names each file with its size and hash. That comes last, so that a backup without it is one
that was cut off.
"""

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from assets.domain.batch import is_submission_id
from assets.domain.errors import QuireError
from assets.reruns import RESULT_FILE_SCHEMA
from flows.gateways.files.atomic import create_file, create_text, naming, replace_file, sync_folder
from flows.gateways.files.decisions import read_json
from flows.gateways.files.formats import FORMAT, NEWEST_FORMAT
from flows.gateways.files.parquet import read_table, write_table
from flows.gateways.files.presence import found_at, is_there
from flows.gateways.ports import TEMPORARY_PREFIX

MANIFESTS, VARIABLES, RESULTS, SUMMARY = "manifests", "variables.json", "output_results.parquet", "backup.json"
HOME = f"{MANIFESTS}/home.json"
_NOT_KEPT = "work"
"""What lies there is for the time of one step."""
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class FileState:
    """``sha256``: in hex, of all its bytes."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Backup:
    """``folder``: where it lies; ``home_id``: of ``home.json``; ``made_at``: UTC; ``variables``: full name -> value;
    ``files``: path from ``folder`` -> its state; ``results``: those that there were, columns RESULT_FILE_SCHEMA."""

    folder: Path
    collection: str
    home_id: str
    made_at: datetime
    variables: Mapping[str, Any]
    files: Mapping[str, FileState]
    results: pa.Table

    def of_manifests(self) -> dict[str, FileState]:
        """The files of the manifests, by their paths from there; ``home.json`` comes last: without it a folder is none
        of a collection, so that a restore that was cut off is begun again."""
        found = {name.removeprefix(f"{MANIFESTS}/"): state for name, state in self.files.items() if _is_manifest(name)}
        return dict(sorted(found.items(), key=lambda each: (f"{MANIFESTS}/{each[0]}" == HOME, each[0])))

    def submissions(self) -> set[str]:
        names = (Path(name) for name in self.of_manifests())
        # Not those of runs, which lie deeper.
        return {path.stem for path in names if path.parent == Path("batches") and is_submission_id(path.stem)}


def copy_files(manifests: Path, names: Iterable[str], folder: Path) -> dict[str, FileState]:
    """Copy files of ``manifests``, named by their paths from there, into a backup's ``folder``; by their paths from
    that one, what was copied. Raises OSError."""
    return {f"{MANIFESTS}/{name}": _copied(manifests / name, folder / MANIFESTS / name) for name in names}


def files_below(manifests: Path) -> list[str]:
    """Every file of a collection's manifests that is worth keeping, by its path from there. Raises OSError."""
    return sorted(_walk(manifests, ""))


def finish(backup: Backup) -> None:
    """Write what is not a copy, make all of it durable, and say that it is whole. Raises OSError."""
    folder = backup.folder
    stored = {"variables": dict(backup.variables), FORMAT: NEWEST_FORMAT}
    create_text(folder / VARIABLES, json.dumps(stored, ensure_ascii=False, indent=1) + "\n")
    create_file(folder / RESULTS, lambda path: write_table(backup.results, path, compression="zstd"))
    os.sync()
    files = {**backup.files, **{name: state_of(folder / name) for name in (VARIABLES, RESULTS)}}
    document = {
        "collection": backup.collection,
        "home_id": backup.home_id,
        "made_at": backup.made_at.isoformat(),
        "files": {name: [state.bytes, state.sha256] for name, state in files.items()},
        FORMAT: NEWEST_FORMAT,
    }
    create_text(folder / SUMMARY, json.dumps(document, ensure_ascii=False, indent=0) + "\n")
    sync_folder(folder.parent)


def read_backup(folder: Path) -> Backup:
    """A backup, each file of which was read and is what it was. Raises QuireError, OSError."""
    summary = folder / SUMMARY
    try:
        document = read_json(summary)
        files = {str(name): FileState(int(size), str(sha256)) for name, (size, sha256) in document["files"].items()}
        check_files(folder, files)
        variables = read_json(folder / VARIABLES)
        return Backup(
            folder=folder,
            collection=str(document["collection"]),
            home_id=str(document["home_id"]),
            made_at=datetime.fromisoformat(document["made_at"]),
            variables={str(name): value for name, value in variables["variables"].items()},
            files=files,
            results=read_table(folder / RESULTS, RESULT_FILE_SCHEMA),
        )
    except (FileNotFoundError, NotADirectoryError):
        raise QuireError(
            f"{summary} is not there: {folder} is no backup of quire backup, or one that was cut off; name another"
        ) from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise QuireError(f"{summary} or {VARIABLES} beside it cannot be read ({error}); take another backup") from None


def check_files(folder: Path, files: Mapping[str, FileState]) -> None:
    """Raise QuireError for a file that is not what it was; OSError."""
    for name, state in files.items():
        path = folder / name
        if not _stays_inside(name):
            raise QuireError(f"{folder / SUMMARY} names {name}, which lies outside of it; take another backup")
        found = state_of(path) if is_there(path) else None
        if found != state:
            what = "is gone" if found is None else "is not what it was when the backup was made"
            raise QuireError(f"{path} {what}: nothing is restored; take another backup")


def compared(backup: Backup, manifests: Path) -> tuple[list[str], list[str]]:
    """The files that ``manifests`` lacks, and those that are others there, by their paths from there, in the order in
    which they are to be put back. Raises OSError."""
    missing, differing = [], []
    for name, state in backup.of_manifests().items():
        if not is_there(manifests / name):
            missing.append(name)
        elif state_of(manifests / name) != state:
            differing.append(name)
    return missing, differing


def put_back(backup: Backup, manifests: Path, names: Iterable[str]) -> None:
    """Copy these files of a backup to where they were. Raises OSError."""
    for name in names:
        replace_file(manifests / name, partial(_write_copy, backup.folder / MANIFESTS / name))


def _is_manifest(name: str) -> bool:
    return name.startswith(f"{MANIFESTS}/")


def _stays_inside(name: str) -> bool:
    return not Path(name).is_absolute() and ".." not in Path(name).parts


def _walk(folder: Path, above: str) -> Iterator[str]:
    with naming(folder), os.scandir(folder) as entries:
        found = sorted(entries, key=lambda each: each.name)
    for entry in found:
        name = f"{above}{entry.name}"
        if entry.name.startswith(TEMPORARY_PREFIX) or name == _NOT_KEPT:
            continue
        mode = entry.stat().st_mode
        if stat.S_ISDIR(mode):
            yield from _walk(folder / entry.name, f"{name}/")
        elif stat.S_ISREG(mode):
            yield name


def _write_copy(source: Path, target: Path) -> None:
    _copy(source, target)


def _copied(source: Path, target: Path) -> FileState:
    target.parent.mkdir(parents=True, exist_ok=True)
    return _copy(source, target)


def _copy(source: Path, target: Path) -> FileState:
    """Hashed as it is read, so that a file that is replaced meanwhile is noted as what was copied."""
    hashed, size = hashlib.sha256(), 0
    with naming(source), source.open("rb") as read, target.open("wb") as written:
        while chunk := read.read(_CHUNK_BYTES):
            hashed.update(chunk)
            size += len(chunk)
            with naming(target):
                written.write(chunk)
    return FileState(size, hashed.hexdigest())


def state_of(path: Path) -> FileState:
    """Raises OSError."""
    with naming(path), path.open("rb") as file:
        hashed = hashlib.file_digest(file, "sha256")
    found = found_at(path)
    return FileState(found.st_size if found is not None else 0, hashed.hexdigest())

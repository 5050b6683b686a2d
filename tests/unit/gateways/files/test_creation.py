"""A name is given once, by whatever the file system has: each way keeps the same promises."""

import errno
import fcntl
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from flows.gateways.files.atomic import create_file, sync_folder
from flows.gateways.files.creation import LOCK_NAME, Way, by_link, by_lock, by_rename, put_in_place
from tests.errno_matrix.faults import Fault, faults_in

WAYS = pytest.mark.parametrize("way", [by_link, by_rename, by_lock])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != LOCK_NAME)


def _write(content: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(content)

    return write


def who_succeed(attempt: Callable[[int], bool]) -> list[int]:
    """Which of eight threads succeed that begin at the same moment."""
    start, succeeded = threading.Barrier(8), list[int]()

    def run(number: int) -> None:
        start.wait()
        if attempt(number):
            succeeded.append(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return succeeded


@WAYS
def test_a_name_is_given_once_and_what_stands_there_stays(tmp_path: Path, way: Way) -> None:
    temporary, path = tmp_path / ".tmp-1", tmp_path / "file"
    temporary.write_bytes(b"first")
    assert put_in_place(temporary, path, [way])
    temporary.unlink(missing_ok=True)
    temporary.write_bytes(b"second")
    assert not put_in_place(temporary, path, [way])
    assert path.read_bytes() == b"first"


@WAYS
def test_of_many_who_give_a_name_at_once_one_succeeds(tmp_path: Path, way: Way) -> None:
    def give(number: int) -> bool:
        temporary = tmp_path / f".tmp-{number}"
        temporary.write_bytes(str(number).encode())
        return put_in_place(temporary, tmp_path / "file", [way])

    assert [str(number) for number in who_succeed(give)] == [(tmp_path / "file").read_text()]


def test_a_lock_keeps_others_away_between_the_look_and_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary, path, waits, given = tmp_path / ".tmp-1", tmp_path / "file", threading.Event(), list[bool]()
    temporary.write_bytes(b"second")
    lock = fcntl.flock

    def tell_and_lock(file: IO[bytes], operation: int) -> None:
        waits.set()
        lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", tell_and_lock)
    other = threading.Thread(target=lambda: given.append(by_lock(temporary, path)))
    with path.with_name(LOCK_NAME).open("wb") as held:
        lock(held, fcntl.LOCK_EX)
        other.start()
        assert waits.wait(60), "it asks for the lock before it looks"
        path.write_bytes(b"first")
    other.join()
    assert (given, path.read_bytes()) == ([False], b"first")


@pytest.mark.parametrize(
    ("number", "is_passed_over"), [(errno.ENOLCK, True), (errno.EOPNOTSUPP, True), (errno.EIO, False)]
)
def test_where_no_file_can_be_locked_the_look_has_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, is_passed_over: bool
) -> None:
    def refuse(file: IO[bytes], operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    temporary, path = tmp_path / ".tmp-1", tmp_path / "file"
    temporary.write_bytes(b"first")
    if is_passed_over:
        assert by_lock(temporary, path)
        temporary.write_bytes(b"second")
        assert not by_lock(temporary, path)
        assert path.read_bytes() == b"first"
    else:
        with pytest.raises(OSError, match="Input/output error"):
            by_lock(temporary, path)
        assert not path.exists()


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP])
def test_without_hard_links_a_file_is_created_once_all_the_same(tmp_path: Path, number: int) -> None:
    with faults_in(tmp_path, Fault("link", number, lasts=True)) as struck:
        assert create_file(tmp_path / "file", _write(b"first"))
        assert not create_file(tmp_path / "file", _write(b"second"))
    assert struck
    assert (tmp_path / "file").read_bytes() == b"first"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EOPNOTSUPP, errno.EACCES, errno.EBADF])
def test_a_folder_that_cannot_be_synced_is_passed_over(tmp_path: Path, number: int) -> None:
    with faults_in(tmp_path, Fault("fsync", number, lasts=True)) as struck:
        sync_folder(tmp_path)
    assert struck


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_a_sync_that_fails_is_an_error_that_names_the_file(tmp_path: Path, number: int) -> None:
    path = tmp_path / "file"
    with faults_in(tmp_path, Fault("fsync", number)), pytest.raises(OSError) as raised:
        create_file(path, _write(b"lost"))
    assert (raised.value.errno, raised.value.filename) == (number, str(path))
    assert os.listdir(tmp_path) == []  # noqa: PTH208

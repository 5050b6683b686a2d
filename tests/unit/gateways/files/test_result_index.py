"""Results are found as by a look into every folder, however few are listed."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from flows.gateways.files.folder_times import NEVER, FolderClocks, known_clocks, look_at_folders, tried_clocks
from flows.gateways.files.results import walk_results
from flows.gateways.files.storage import Storage

YEAR_NS = 365 * 86_400 * 10**9


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    made = Storage(
        root=tmp_path,
        manifests=tmp_path / "manifests",
        output_results=tmp_path / "results",
        document_fields=("state", "year"),
    )
    # Its clock is far ahead: nothing changes behind a time that was seen.
    made.clocks = FolderClocks({tmp_path.stat().st_dev: YEAR_NS})
    return made


def put(storage: Storage, name: str, content: bytes = b"{}") -> Path:
    path = storage.output_results / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    moved(path.parent)
    return path


clock = iter(range(10**18, 2 * 10**18, 10**9))


def moved(folder: Path) -> None:
    time = next(clock)
    os.utime(folder, ns=(time, time))


def pass_over(storage: Storage) -> list[str]:
    found = storage.find_results()
    storage.remember_results(found)
    keys: list[str] = found.by_document.record_keys.to_pylist()
    assert sorted(keys) == sorted(walk_results(storage.output_results, depth=2))
    assert storage.find_results().files.equals(found.files)
    return keys


def test_a_result_that_comes_or_goes_is_found_by_the_next_pass(storage: Storage) -> None:
    assert pass_over(storage) == []
    for name in ("B/1900/10.json", "B/1900/9.json", "A/1901/1.json", "A-1/1900/1.json"):
        put(storage, name)
    assert pass_over(storage) == ["A:1901:1", "A-1:1900:1", "B:1900:9", "B:1900:10"]
    gone = storage.output_results / "B/1900/9.json"
    gone.unlink()
    moved(gone.parent)
    assert "B:1900:9" not in pass_over(storage)
    put(storage, "C/1/1.json", b"")
    put(storage, "C/2/1.json")
    assert pass_over(storage)[-1] == "C:2:1"
    shutil.rmtree(storage.output_results / "A")
    assert "A:1901:1" not in pass_over(storage)


def test_a_folder_whose_time_is_as_it_was_is_not_listed_until_all_are(storage: Storage) -> None:
    path = put(storage, "A/1900/1.json")
    pass_over(storage)
    path.write_bytes(b"{ }")  # in place, which no folder's time tells
    assert storage.find_results().by_document.bytes.to_pylist() == [2]
    storage.forget_results()
    assert storage.find_results().by_document.bytes.to_pylist() == [3]


@pytest.mark.parametrize("clocks", [NEVER, FolderClocks({0: 0}), FolderClocks({}, untried=True)])
def test_a_folder_that_changed_a_moment_ago_is_listed_again(storage: Storage, clocks: FolderClocks) -> None:
    path = put(storage, "A/1900/1.json")
    os.utime(path.parent)
    storage.clocks = replace(clocks, ahead_ns={path.stat().st_dev: 0} if clocks.ahead_ns else {})
    storage.remember_results(storage.find_results())
    path.write_bytes(b"{ }")
    assert storage.find_results().by_document.bytes.to_pylist() == [3]


def test_a_link_or_a_damaged_index_is_looked_at_again(storage: Storage) -> None:
    target = put(storage, "A/1900/1.json")
    link = storage.output_results / "A/1900/2.json"
    link.symlink_to(target)
    moved(link.parent)
    assert len(pass_over(storage)) == 2
    target.write_bytes(b"")
    assert storage.find_results().by_document.labels.to_pylist() == []

    put(storage, "B/1/1.json")
    pass_over(storage)
    index = storage.manifests / "index" / "results.arrow"
    content = bytearray(index.read_bytes())
    for at in range(0, len(content), 97):
        damaged = bytes(content[:at]) + bytes([content[at] ^ 0xFF]) + bytes(content[at + 1 :])
        index.write_bytes(damaged)
        assert storage.find_results().by_document.documents.to_pylist() == ["B:1"]


def test_a_file_system_is_tried_once_and_nothing_is_left_of_the_trial(tmp_path: Path) -> None:
    note, folder = tmp_path / "index" / "file_systems.json", tmp_path / "results"
    folder.mkdir()
    assert known_clocks(note, [folder]) == NEVER
    clocks = tried_clocks(note, [folder])
    assert clocks.ahead_ns.keys() == {folder.stat().st_dev}
    assert list(folder.iterdir()) == []
    assert known_clocks(note, [folder]) == clocks
    note.write_text("{")
    assert known_clocks(note, [folder]) == NEVER


def test_another_folder_with_the_same_time_is_another(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
        os.utime(folder, ns=(0, 0))
    looks = look_at_folders([str(one), str(other), str(tmp_path / "gone")], FolderClocks({one.stat().st_dev: 0}))
    assert looks[2] is None
    assert looks[0] is not None
    assert looks[0].is_settled
    assert looks[0] != looks[1]


def test_what_was_seen_and_cannot_be_read_is_told_and_every_folder_is_listed(storage: Storage) -> None:
    put(storage, "A/1901/1.json")
    pass_over(storage)
    index = storage.manifests / "index" / "results.arrow"
    index.unlink()
    index.mkdir()

    found = storage.find_results()

    assert found.by_document.record_keys.to_pylist() == ["A:1901:1"]
    assert found.seen is not None
    assert str(index) in str(found.seen.unread)

"""Results in groups: each whole, durable before it has its name, and in its place only if nothing else is."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from assets.domain.errors import ManifestError
from flows.gateways.files import result_groups, syncing
from flows.gateways.files.output_results import ResultFile
from flows.gateways.files.result_groups import ResultGroups
from flows.gateways.files.storage import Storage
from tests.errno_matrix.faults import Fault, faults_in
from tests.unit.assets.tables import FIELDS

KEYS = [f"CA:Lincoln:{year}:{page}" for year in (2022, 2023) for page in range(1, 12)]
SUBMISSION = "01jd0000000000000000000002"


class Heard:
    """What a settlement would hear."""

    def __init__(self) -> None:
        self.files: dict[str, ResultFile] = {}
        self.others: list[str] = []
        self.errors: dict[str, ManifestError | OSError] = {}
        self.given_up_hashes: dict[str, str] = {}
        self.checks = 0

    def check(self) -> None:
        self.checks += 1

    def check_folders(self) -> None:
        """They are there."""

    def given_up(self, record_key: str) -> str | None:
        return self.given_up_hashes.get(record_key)

    def placed(self, record_key: str, file: ResultFile) -> None:
        self.files[record_key] = file

    def superseded(self, record_key: str) -> None:
        self.others.append(record_key)

    def failed(self, record_key: str, error: ManifestError | OSError) -> None:
        if isinstance(error, OSError) and error.errno != errno.EACCES:
            raise error
        self.errors[record_key] = error


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    (tmp_path / "results").mkdir()
    (tmp_path / "manifests").mkdir()
    return Storage(
        root=tmp_path, manifests=tmp_path / "manifests", output_results=tmp_path / "results", document_fields=FIELDS
    )


@pytest.fixture(params=["as a whole", "side by side", "one by one"])
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """How groups of five are synced."""
    fewest = 1000 if request.param == "one by one" else 2
    reports = (0, 0) if request.param == "as a whole" else (10_000, 0)
    with (
        patch.object(result_groups, "GROUP_FILES", 5),
        patch.object(syncing, "FEWEST", fewest),
        patch.object(syncing, "_REPORTS_SINCE", reports),
        patch.object(syncing, "_SYNCED_AS_A_WHOLE", _Everything()),
    ):
        yield str(request.param)


class _Everything(dict[int, str]):
    def __contains__(self, _: object) -> bool:
        return True


def content_of(key: str) -> bytes:
    return f'{{"page": "{key}"}}\n'.encode()


def write_all(storage: Storage, heard: Heard) -> None:
    with ResultGroups(storage, heard, submission_id=SUBMISSION) as groups:
        for key in KEYS:
            groups.write_soon(key, content_of(key))
        groups.write_rest()


def left(storage: Storage) -> list[Path]:
    return list(storage.output_results.rglob(".tmp-*"))


def test_each_result_is_whole_in_its_place_and_known(storage: Storage, way: str) -> None:
    heard = Heard()
    write_all(storage, heard)
    assert {key: storage.read_result(key) for key in KEYS} == {key: content_of(key) for key in KEYS}
    assert heard.files == {key: storage.result_file(key) for key in KEYS}
    assert heard.checks >= 2 * len(KEYS), "before it is written, and before it has its name"
    assert not left(storage)


def test_nothing_has_its_name_before_it_is_durable_nor_is_the_end_before_all_names_are(
    storage: Storage, way: str
) -> None:
    dirty: set[str] = set()
    names: set[str] = set()
    system_open, system_replace = os.open, os.replace
    system_sync, system_syncfs = os.fsync, syncing.syncfs

    def opened(path: str, flags: int, *more: int) -> int:
        if flags & os.O_CREAT:
            dirty.add(path)
        return system_open(path, flags, *more)

    def synced(descriptor: int) -> None:
        system_sync(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        dirty.discard(str(path))
        names.difference_update({each for each in names if Path(each).parent == path})

    def synced_as_a_whole(descriptor: int) -> None:
        so_far, named = set(dirty), set(names)
        system_syncfs(descriptor)
        dirty.difference_update(so_far)
        names.difference_update(named)

    def replaced(source: str, target: str) -> None:
        assert source not in dirty, "it has its name before it is durable"
        system_replace(source, target)
        names.add(target)

    with (
        patch.object(os, "open", opened),
        patch.object(os, "replace", replaced),
        patch.object(os, "fsync", synced),
        patch.object(syncing, "syncfs", synced_as_a_whole),
    ):
        write_all(storage, Heard())
    assert not dirty
    assert not names, "a name is not durable in the end"


@pytest.mark.parametrize("kind", ["create", "write", "fsync", "syncfs", "rename"])
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EACCES])
@pytest.mark.parametrize("nth", [1, 8])
def test_trouble_is_told_with_its_file_or_healed_and_leaves_nothing_half(
    storage: Storage, way: str, kind: str, number: int, nth: int
) -> None:
    heard, told = Heard(), None
    with faults_in(storage.output_results, Fault(kind, number, nth=nth)):
        try:
            write_all(storage, heard)
        except OSError as error:
            told = error
    assert not left(storage)
    for key in heard.files:
        assert storage.read_result(key) == content_of(key)
    if told is not None:
        assert (told.errno, str(told.filename).startswith(str(storage.output_results))) == (number, True)
        assert ".tmp-" not in str(told.filename)
    else:
        assert set(heard.errors) | set(heard.files) == set(KEYS), "one is told, all others are written"
        if kind == "syncfs":
            assert not heard.errors, "where a sync of everything is refused, each is synced by itself"
    heard = Heard()
    write_all(storage, heard)
    assert len(heard.files) == len(KEYS), "done again it is as if nothing had been"


def during_the_first_sync(act: Callable[[], object]) -> Callable[..., dict[str, OSError]]:
    sync = syncing.Syncing.sync_group
    acts = [act]

    def synced(self: syncing.Syncing, *arguments: object, **options: bool) -> dict[str, OSError]:
        while acts:
            acts.pop()()
        return sync(self, *arguments, **options)  # type: ignore[arg-type]

    return synced


def test_what_somebody_puts_there_meanwhile_stays(storage: Storage, way: str) -> None:
    path = storage.result_path(KEYS[0])
    with patch.object(syncing.Syncing, "sync_group", during_the_first_sync(lambda: path.write_bytes(b"{}"))):
        heard = Heard()
        write_all(storage, heard)
    assert path.read_bytes() == b"{}"
    assert heard.others == KEYS[:1]
    assert set(heard.files) == set(KEYS[1:])
    assert not left(storage)


def test_a_result_that_is_there_stays_unless_it_is_given_up(storage: Storage, way: str) -> None:
    old = storage.write_result(KEYS[0], b'{"old": 1}')
    other = storage.write_result(KEYS[1], b'{"old": 2}')
    ours = storage.write_result(KEYS[2], content_of(KEYS[2]))
    assert old is not None
    assert other is not None
    heard = Heard()
    heard.given_up_hashes = {KEYS[0]: old.sha256}
    write_all(storage, heard)
    assert storage.read_result(KEYS[0]) == content_of(KEYS[0])
    assert storage.replaced_path(SUBMISSION, KEYS[0]).read_bytes() == b'{"old": 1}'
    assert storage.read_result(KEYS[1]) == b'{"old": 2}'
    assert heard.others == [KEYS[1]]
    assert heard.files[KEYS[2]] == ours, "ours, from a settlement that was cut off"


def test_a_folder_that_leads_out_is_told_and_all_others_are_written(storage: Storage, tmp_path: Path, way: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (storage.output_results / "CA" / "Lincoln").mkdir(parents=True)
    (storage.output_results / "CA" / "Lincoln" / "2022").symlink_to(elsewhere)
    heard = Heard()
    write_all(storage, heard)
    assert set(heard.errors) == {key for key in KEYS if ":2022:" in key}
    assert set(heard.files) == {key for key in KEYS if ":2023:" in key}
    assert not list(elsewhere.iterdir())


def test_who_stops_in_the_middle_leaves_no_temporary_file(storage: Storage, way: str) -> None:
    heard = Heard()
    with ResultGroups(storage, heard, submission_id=SUBMISSION) as groups:
        for key in KEYS[:-1]:
            groups.write_soon(key, content_of(key))
    assert not left(storage)
    assert len(heard.files) < len(KEYS)

"""Results that are to be read again: each stays in its place until the new one takes it, and is kept then."""

import errno
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assets.domain.errors import ManifestError
from flows.gateways.files.leftovers import OLD
from flows.gateways.files.storage import Storage
from flows.operate import results_as_they_are
from tests.errno_matrix.faults import Fault, faults_in
from tests.unit.assets.tables import FIELDS

KEY, OTHER = "CA:Lincoln:2023:4", "CA:Lincoln:2023:5"
RERUN, SUBMISSION = "01jd0000000000000000000001", "01jd0000000000000000000002"


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    made = Storage(
        root=tmp_path, manifests=tmp_path / "manifests", output_results=tmp_path / "results", document_fields=FIELDS
    )
    for key in (KEY, OTHER):
        assert made.write_result(key, b'{"text": "old"}')
    wish(made, KEY)
    return made


def wish(storage: Storage, key: str) -> str:
    """That it is read again; the hash of its result."""
    found = results_as_they_are(storage, [key])
    columns = found.append_column("rerun_id", [[RERUN]])
    storage.write_reruns(columns.select(storage.read_reruns().column_names).cast(storage.read_reruns().schema))
    return str(found["result_sha256"][0].as_py())


def pending(storage: Storage) -> list[str]:
    by_walk: list[str] = storage.find_results().to_be_replaced["record_key"].to_pylist()
    assert storage.to_be_replaced([KEY, OTHER])["record_key"].to_pylist() == by_walk
    assert storage.done_among([KEY, OTHER]) == set(storage.find_results().done)
    return by_walk


def test_a_result_that_is_to_be_read_again_is_there_and_its_record_is_not_done(storage: Storage) -> None:
    assert pending(storage) == [KEY]
    assert sorted(storage.find_results().present) == [KEY, OTHER]
    assert storage.find_results().done == [OTHER]
    assert storage.read_result(KEY) == b'{"text": "old"}'


@pytest.mark.parametrize("time", [1, 2**63 // 10**9 * 2])
def test_only_the_content_tells_after_another_time(storage: Storage, time: int) -> None:
    path = storage.result_path(KEY)
    os.utime(path, (time, time))
    assert pending(storage) == [KEY]
    path.write_bytes(b'{"text": "mew"}')
    os.utime(path, (time, time))
    assert pending(storage) == [], "as long, and another one"


@pytest.mark.parametrize("content", [b'{"text": "newer"}', b""])
def test_a_wish_never_means_a_newer_result(storage: Storage, content: bytes) -> None:
    storage.result_path(KEY).write_bytes(content)
    assert pending(storage) == []
    assert (KEY in storage.find_results().done) == bool(content)
    storage.result_path(KEY).unlink()
    assert pending(storage) == []


def test_the_new_result_takes_the_place_of_the_one_that_is_given_up_and_of_no_other(storage: Storage) -> None:
    sha256 = wish(storage, KEY)
    assert storage.write_result(KEY, b"{}", given_up="another", submission_id=SUBMISSION) is None
    assert storage.read_result(KEY) == b'{"text": "old"}'
    assert not (storage.manifests / "replaced").exists()

    written = storage.write_result(KEY, b"{}", given_up=sha256, submission_id=SUBMISSION)

    assert written == storage.result_file(KEY)
    assert storage.read_result(KEY) == b"{}"
    assert storage.replaced_path(SUBMISSION, KEY).read_bytes() == b'{"text": "old"}'
    assert pending(storage) == []
    assert storage.write_result(KEY, b"{}", given_up=sha256, submission_id=SUBMISSION) == written, "done again"


def test_what_was_kept_by_a_settlement_that_was_cut_off_is_not_lost(storage: Storage) -> None:
    sha256, kept = wish(storage, KEY), storage.replaced_path(SUBMISSION, KEY)
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"before that")

    assert storage.write_result(KEY, b"{}", given_up=sha256, submission_id=SUBMISSION) is not None

    assert {path.name: path.read_bytes() for path in kept.parent.iterdir()} == {
        "4.json": b"before that",
        "4.json.2": b'{"text": "old"}',
    }


def test_a_temporary_file_of_what_is_kept_lies_where_a_later_pass_looks_for_it(storage: Storage) -> None:
    sha256 = wish(storage, KEY)
    with faults_in(storage.manifests, Fault("unlink", errno.EIO, lasts=True)) as calls:
        assert storage.write_result(KEY, b"{}", given_up=sha256, submission_id=SUBMISSION) is not None
    assert calls.struck
    storage.clear_leftovers([], now=datetime.now(UTC) + 2 * OLD)
    assert [path.name for path in (storage.manifests / "replaced").rglob("*") if path.is_file()] == ["4.json"]


def test_without_wishes_there_is_no_file_of_them(storage: Storage) -> None:
    assert storage.reruns_path.exists()
    storage.write_reruns(storage.read_reruns().slice(0, 0))
    assert not storage.reruns_path.exists()
    assert pending(storage) == []


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more"])
def test_damaged_wishes_say_that_no_result_is_lost_without_them(storage: Storage, content: bytes) -> None:
    storage.reruns_path.write_bytes(content)
    for read in (storage.find_results, storage.read_reruns, lambda: storage.done_among([KEY])):
        with pytest.raises(ManifestError) as told:
            read()
        assert str(told.value).startswith(f"{storage.reruns_path}: cannot be read (")
        assert str(told.value).endswith(
            "delete it, or restore it from a backup: without it all results stay as they are, and quire rerun asks for "
            "new ones"
        )
    storage.reruns_path.unlink()
    assert storage.find_results().done == [KEY, OTHER]

"""What a folder can do is found out by doing it, and nothing is left behind."""

import errno
from pathlib import Path

import pytest

from flows.gateways.files.trial import folds_case, free_bytes, try_write
from tests.errno_matrix.faults import Fault, faults_in
from tests.errno_matrix.folding import without_capitals


@pytest.mark.parametrize("names", [(), ("1901",), ("CA",), ("1901", "CA")])
def test_whether_capitals_count_is_found_out_in_the_folder(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (tmp_path / name).mkdir()
    assert not folds_case(tmp_path)
    with without_capitals(tmp_path):
        assert folds_case(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


def test_a_folder_that_will_be_made_is_taken_to_be_like_the_one_it_will_be_in(tmp_path: Path) -> None:
    (tmp_path / "page_images").mkdir()
    assert not folds_case(tmp_path / "output_results")
    with without_capitals(tmp_path):
        assert folds_case(tmp_path / "output_results")


@pytest.mark.parametrize("kind", ["create", "write", "fsync", "unlink"])
def test_a_trial_that_fails_names_the_folder_and_leaves_nothing(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "new"
    with faults_in(tmp_path, Fault(kind, errno.EIO)), pytest.raises(OSError) as raised:
        try_write(folder)
    assert (raised.value.errno, raised.value.filename) == (errno.EIO, str(folder))
    try_write(folder)
    assert free_bytes(folder) > 0
    if kind != "unlink":
        assert list(folder.iterdir()) == []

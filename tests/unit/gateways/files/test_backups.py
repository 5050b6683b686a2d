"""A backup's folder: whole or refused, put back without writing over anything."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assets.domain.errors import QuireError
from assets.reruns import RESULT_FILE_SCHEMA
from flows.gateways.files.backups import Backup, compared, copy_files, files_below, finish, put_back, read_backup

FILES = {
    "home.json": "{}",
    "records.parquet": "all",
    "batches/.quire": "{}",
    "batches/01jd0000000000000000000001.parquet": "one",
    "replaced/01jd0000000000000000000001/CA/1.json": "old",
}


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    for name, text in {**FILES, "work/input.jsonl": "x", "jobs/.tmp-1234": "half"}.items():
        path = tmp_path / "manifests" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "manifests"


@pytest.fixture
def folder(tmp_path: Path, manifests: Path) -> Path:
    """Of a backup."""
    folder = tmp_path / "backup"
    copied = copy_files(manifests, files_below(manifests), folder)
    results = RESULT_FILE_SCHEMA.empty_table()
    finish(Backup(folder, "ca", "id", datetime(2026, 1, 2, tzinfo=UTC), {"ca_active_batch_ids": []}, copied, results))
    return folder


def test_what_was_kept_is_read_as_it_was(folder: Path, manifests: Path) -> None:
    backup = read_backup(folder)
    assert set(backup.of_manifests()) == set(FILES), "but what is for the time of one step"
    assert (backup.collection, backup.home_id, backup.made_at.year) == ("ca", "id", 2026)
    assert backup.variables == {"ca_active_batch_ids": []}
    assert backup.submissions() == {"01jd0000000000000000000001"}
    assert compared(backup, manifests) == ([], [])


@pytest.mark.parametrize("name", ["manifests/records.parquet", "variables.json"])
def test_a_backup_in_which_a_file_is_damaged_or_gone_is_refused_by_its_name(folder: Path, name: str) -> None:
    (folder / name).write_text("alL")
    with pytest.raises(QuireError, match=f"{name} is not what it was when the backup was made: nothing is restored"):
        read_backup(folder)
    (folder / name).unlink()
    with pytest.raises(QuireError, match=f"{name} is gone: nothing is restored; take another backup"):
        read_backup(folder)


def test_a_backup_that_was_cut_off_is_none(folder: Path) -> None:
    (folder / "backup.json").unlink()
    with pytest.raises(QuireError, match="is no backup of quire backup, or one that was cut off"):
        read_backup(folder)


@pytest.mark.parametrize("name", ["manifests/../../outside", "/etc/passwd"])
def test_a_backup_that_names_a_file_outside_of_it_is_refused(folder: Path, name: str) -> None:
    summary = folder / "backup.json"
    document = json.loads(summary.read_text())
    summary.write_text(json.dumps({**document, "files": {**document["files"], name: [1, "00"]}}))
    with pytest.raises(QuireError, match="which lies outside of it"):
        read_backup(folder)


def test_what_is_missing_is_put_back_and_nothing_is_written_over(folder: Path, manifests: Path) -> None:
    (manifests / "records.parquet").write_text("newer")
    for name in ("home.json", "batches/.quire", "replaced/01jd0000000000000000000001/CA/1.json"):
        (manifests / name).unlink()
    backup = read_backup(folder)
    missing, differing = compared(backup, manifests)
    assert missing[-1] == "home.json", "until it is there, a restore that was cut off is begun again"
    assert set(missing) == {"home.json", "batches/.quire", "replaced/01jd0000000000000000000001/CA/1.json"}
    assert differing == ["records.parquet"]
    put_back(backup, manifests, missing)
    found = {str(path.relative_to(manifests)): path.read_text() for path in manifests.rglob("*") if path.is_file()}
    assert {name: found[name] for name in FILES} == {**FILES, "records.parquet": "newer"}

"""The files of a collection: what is written is read back, what is damaged is named in one line."""

import json
import os
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from assets.domain.errors import ManifestError, RecordKeyError
from assets.outcomes import OUTCOME_SCHEMA, numbered, with_counts
from flows.gateways.files.atomic import create_file
from flows.gateways.files.storage import JobFile, Storage
from flows.gateways.ports import TEMPORARY_PREFIX
from tests.unit.assets.tables import SUBMISSION, batch_of, facts, manifest_of, outcomes_of, verdicts

KEY = "CA:Lincoln:2023:4"
OTHER = "01jd0000000000000000000001"


def test_the_record_manifest_is_read_as_it_was_written(storage: Storage) -> None:
    assert storage.read_records() is None
    table = manifest_of([KEY, "CA:Lincoln:2023:10"])
    storage.write_records(table)
    found = storage.read_records()
    assert found is not None
    assert found.equals(table)
    assert [path.name for path in storage.manifests.iterdir()] == ["records.parquet"]


def test_the_same_table_makes_the_same_bytes(storage: Storage) -> None:
    contents = set()
    for _ in range(2):
        storage.write_records(manifest_of([KEY]))
        contents.add(storage.records_path.read_bytes())
    assert len(contents) == 1


def test_a_batch_manifest_is_created_once_and_keeps_its_facts(storage: Storage) -> None:
    table = batch_of([KEY, "CA:Lincoln:2023:5"])
    assert storage.create_batch_manifest(SUBMISSION, table)
    assert not storage.create_batch_manifest(SUBMISSION, batch_of(["CA:Lincoln:2023:9"]))
    found, told = storage.read_batch_manifest(SUBMISSION)
    assert found.equals(table)
    assert told == facts()
    assert storage.batch_keys(SUBMISSION) == [KEY, "CA:Lincoln:2023:5"]


def test_outcomes_are_created_once(storage: Storage) -> None:
    first = with_counts(outcomes_of([KEY], verdicts({"record_key": KEY})), {})
    assert not storage.is_closed(SUBMISSION)
    assert storage.create_outcomes(SUBMISSION, first)
    assert not storage.create_outcomes(SUBMISSION, with_counts(outcomes_of([KEY], None), {}))
    assert storage.read_outcomes(SUBMISSION).equals(numbered(first, 1))
    assert storage.read_outcomes(SUBMISSION, ["kind"]).column_names == ["kind"]


def test_outcomes_of_an_earlier_version_are_read_what_they_lack_is_null(storage: Storage) -> None:
    table = with_counts(outcomes_of([KEY], verdicts({"record_key": KEY})), {})
    later = ["unsure", "model_version", "retires_at", "settlement"]
    create_file(storage.outcomes_path(SUBMISSION), lambda path: pq.write_table(table.drop_columns(later), path))

    assert storage.read_outcomes(SUBMISSION).schema.equals(OUTCOME_SCHEMA)
    assert storage.read_outcomes(SUBMISSION).equals(table), "nothing else is another"
    for name in later:
        assert storage.read_outcomes(SUBMISSION, ["kind", name])[name].to_pylist() == [None]


def test_outcomes_that_lack_another_column_are_damaged(storage: Storage) -> None:
    table = with_counts(outcomes_of([KEY], verdicts({"record_key": KEY})), {})
    storage.create_outcomes(SUBMISSION, table.drop_columns(["kind"]))
    with pytest.raises(ManifestError, match="restore it from a backup"):
        storage.read_outcomes(SUBMISSION)
    assert storage.closed_submissions() == {SUBMISSION}
    assert storage.is_closed(SUBMISSION)


def test_submissions_are_listed_by_age_and_nothing_else_is_one(storage: Storage) -> None:
    assert storage.submissions() == []
    for submission_id in (OTHER, SUBMISSION):
        storage.create_batch_manifest(submission_id, batch_of([KEY]))
    folder = storage.manifests / "batches"
    for name in (f"{TEMPORARY_PREFIX}00ff", f"{SUBMISSION}.late.parquet", "notes.parquet", f"{OTHER}.parquet.bak"):
        (folder / name).write_bytes(b"")
    assert storage.submissions() == [SUBMISSION, OTHER]


def test_a_jobs_file_survives(storage: Storage) -> None:
    assert storage.read_job(SUBMISSION) is None
    moment = datetime(2026, 11, 24, 1, 2, 3, 4, tzinfo=UTC)
    for job in (
        JobFile(SUBMISSION, "files/i"),
        JobFile(SUBMISSION, "files/i", first_look_at=moment),
        JobFile(SUBMISSION, "files/i", batch_id="batches/b", first_look_at=moment),
    ):
        storage.write_job(job)
        assert storage.read_job(SUBMISSION) == job
    assert '"phase": "confirmed"' in storage.job_path(SUBMISSION).read_text()


def test_a_result_is_written_once_and_the_same_bytes_are_ours(storage: Storage) -> None:
    assert storage.read_result(KEY) is None
    assert storage.write_result(KEY, b"{}")
    assert (storage.output_results / "CA" / "Lincoln" / "2023" / "4.json").read_bytes() == b"{}"
    assert storage.write_result(KEY, b"{}"), "a settlement that is repeated finds its own work"
    assert not storage.write_result(KEY, b"[]"), "another result was there before"
    assert storage.read_result(KEY) == b"{}"


def test_an_empty_file_is_no_result_and_gives_way(storage: Storage) -> None:
    path = storage.result_path(KEY)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    assert storage.read_result(KEY) is None
    assert storage.write_result(KEY, b"{}")
    assert storage.read_result(KEY) == b"{}"


@pytest.mark.parametrize("key", ["CA:..:2023:4", "CA:a/b:2023:4", "CA:2023:4", "CA:Lincoln:2023:.x", "4"])
def test_no_key_leads_out_of_the_folder(storage: Storage, key: str) -> None:
    with pytest.raises(RecordKeyError):
        storage.write_result(key, b"{}")


@pytest.mark.parametrize("place", ["CA/Lincoln/2023", "CA/Lincoln/2023/4.json"])
def test_nothing_is_read_or_written_through_a_link_that_leads_out(storage: Storage, tmp_path: Path, place: str) -> None:
    others = tmp_path / "results-of-others/CA/Lincoln/2023/4.json"
    others.parent.mkdir(parents=True)
    others.write_bytes(b"{}")
    link = storage.output_results / place
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / "results-of-others" / place)
    for act in (storage.read_result, storage.result_file, lambda key: storage.write_result(key, b"[]")):
        with pytest.raises(ManifestError, match=r"4\.json: a symbolic link leads out of .*results here; put a fold"):
            act(KEY)
    assert {path: path.read_bytes() for path in others.parent.iterdir()} == {others: b"{}"}
    assert link.is_symlink()


def test_what_no_answer_can_have_made_is_not_read(storage: Storage) -> None:
    path = storage.result_path(KEY)
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(ManifestError, match=r"4\.json: has 1,099,511,627,776 bytes, more than any result; delete it$"):
        storage.read_result(KEY)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ManifestError, match=r"4\.json: is no file; delete it$"):
        storage.write_result(KEY, b"{}")


def test_results_are_a_mapping_that_reads_on_demand(storage: Storage) -> None:
    results = storage.results()
    storage.write_result(KEY, b'{"a": 1}')
    assert (results[KEY], list(results), len(results)) == ({"a": 1}, [KEY], 1)
    assert "CA:Lincoln:2023:5" not in results
    storage.result_path(KEY).write_bytes(b"{")
    with pytest.raises(ManifestError, match=r"4\.json: is no JSON .*; correct it, or delete it"):
        results[KEY]
    storage.result_path(KEY).write_bytes(b'["a list"]')
    assert results[KEY] == ["a list"]
    storage.result_path(KEY).write_bytes(b'"text"')
    with pytest.raises(ManifestError, match=r"4\.json: is no JSON object and no list; correct it, or delete it"):
        results[KEY]


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"submission_id": "a"}', '{"first_look_at": "yesterday"}', "\xff"]
)
def test_a_broken_jobs_file_is_named(storage: Storage, content: str) -> None:
    path = storage.job_path(SUBMISSION)
    path.parent.mkdir(parents=True)
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ManifestError, match=rf"{SUBMISSION}\.json: is not a jobs file"):
        storage.read_job(SUBMISSION)


def _records(storage: Storage) -> tuple[Path, Callable[[], object]]:
    storage.write_records(manifest_of([KEY]))
    return storage.records_path, storage.read_records


def _batch(storage: Storage) -> tuple[Path, Callable[[], object]]:
    storage.create_batch_manifest(SUBMISSION, batch_of([KEY]))
    return storage.batch_path(SUBMISSION), lambda: storage.read_batch_manifest(SUBMISSION)


def _keys(storage: Storage) -> tuple[Path, Callable[[], object]]:
    return _batch(storage)[0], lambda: storage.batch_keys(SUBMISSION)


def _outcomes(storage: Storage) -> tuple[Path, Callable[[], object]]:
    storage.create_outcomes(SUBMISSION, with_counts(outcomes_of([KEY], None), {}))
    return storage.outcomes_path(SUBMISSION), lambda: storage.read_outcomes(SUBMISSION)


every_table = pytest.mark.parametrize("make", [_records, _batch, _keys, _outcomes])


@every_table
def test_a_damaged_table_is_named_in_one_line_whatever_the_damage(
    storage: Storage, make: Callable[[Storage], tuple[Path, Callable[[], object]]]
) -> None:
    path, read = make(storage)
    good, chance = path.read_bytes(), random.Random(4)  # noqa: S311 - repeatable by intent
    damaged = [b"", b"PAR1", good[:-1], good[: len(good) // 2], b"no table at all", chance.randbytes(500)]
    for _ in range(60):
        flipped = bytearray(good)
        for _ in range(3):
            flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
        damaged.append(bytes(flipped))
    said = []
    for content in damaged:
        path.write_bytes(content)
        try:
            read()
        except ManifestError as error:
            said.append(str(error))
    assert len(said) > len(damaged) / 2
    assert all(line.startswith(f"{path}: ") and "\n" not in line and "restore it" in line for line in said)


@every_table
def test_a_table_of_another_shape_is_refused(
    storage: Storage, make: Callable[[Storage], tuple[Path, Callable[[], object]]]
) -> None:
    path, read = make(storage)
    Storage.write_records(_elsewhere(storage, path), manifest_of([KEY]).select(["page"]))
    with pytest.raises(ManifestError, match="cannot be read"):
        read()


def test_a_batch_manifest_without_its_facts_is_refused(storage: Storage) -> None:
    storage.create_batch_manifest(SUBMISSION, batch_of([KEY]).replace_schema_metadata({"quire.model": "m"}))
    with pytest.raises(ManifestError, match="its metadata is not a batch manifest's"):
        storage.read_batch_manifest(SUBMISSION)


def test_a_batch_manifest_that_is_gone_is_told(storage: Storage) -> None:
    with pytest.raises(ManifestError, match=rf"{SUBMISSION}\.parquet: is missing; restore it from a backup"):
        storage.batch_keys(SUBMISSION)


def test_outcomes_hold_what_the_schema_says(storage: Storage) -> None:
    path, _ = _outcomes(storage)
    assert storage.read_outcomes(SUBMISSION).schema.equals(OUTCOME_SCHEMA)
    assert path.name == f"{SUBMISSION}.parquet"


def _elsewhere(storage: Storage, path: Path) -> Storage:
    """A storage whose record manifest is ``path``."""

    class Elsewhere(Storage):
        @property
        def records_path(self) -> Path:
            return path

    return Elsewhere(
        root=storage.root,
        manifests=storage.manifests,
        output_results=storage.output_results,
        document_fields=storage.document_fields,
    )


def test_a_batch_manifest_of_an_earlier_version_is_read_what_it_lacks_is_null(storage: Storage) -> None:
    table = batch_of([KEY])
    storage.create_batch_manifest(SUBMISSION, table.drop_columns(["max_usd"]))
    read, _ = storage.read_batch_manifest(SUBMISSION)
    assert read["max_usd"].to_pylist() == [None]
    assert read.drop_columns(["max_usd"]).equals(table.drop_columns(["max_usd"]))


def test_each_file_says_its_form_and_one_of_a_newer_quire_says_to_upgrade(storage: Storage) -> None:
    storage.create_batch_manifest(SUBMISSION, batch_of([KEY]))
    storage.write_job(JobFile(SUBMISSION, "files/a"))
    storage.write_accepted([KEY])
    storage.upload_marks.make(SUBMISSION)
    batch, job = storage.batch_path(SUBMISSION), storage.job_path(SUBMISSION)
    accepted, mark = storage.manifests / "accepted_vanished.json", storage.manifests / f"uploads/{SUBMISSION}.json"
    assert pq.read_schema(batch).metadata[b"quire.format"] == b"1"
    for path in (job, accepted, mark):
        document = json.loads(path.read_text())
        assert document["format"] == 1
        path.write_text(json.dumps({**document, "format": 2}))
    table = pq.read_table(batch)
    pq.write_table(table.replace_schema_metadata({**table.schema.metadata, b"quire.format": b"2"}), batch)

    looks: dict[Path, Callable[[], object]] = {
        batch: lambda: storage.batch_keys(SUBMISSION),
        job: lambda: storage.read_job(SUBMISSION),
        accepted: storage.read_accepted,
        mark: lambda: storage.upload_marks.is_counted(SUBMISSION),
    }
    for path, look in looks.items():
        newer = rf"{path.name}: was written by a newer Quire \(format 2, this one knows 1\): upgrade Quire$"
        with pytest.raises(ManifestError, match=newer):
            look()


def test_two_steps_never_share_a_work_file(storage: Storage) -> None:
    names = {storage.work_path(f"{OTHER}.results.jsonl").name for _ in range(20)}
    assert len(names) == 20
    assert all(name.startswith(OTHER) and name.endswith(".results.jsonl") for name in names)

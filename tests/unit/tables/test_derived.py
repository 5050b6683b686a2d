"""The derived tables: grown step by step or made anew, they are the same; what they are made from is never touched."""

import json
import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assets.domain.errors import ManifestError
from assets.domain.money import Price
from assets.history import HISTORY_SCHEMA
from assets.outcomes import OUTCOME_SCHEMA
from assets.places import PLACE
from assets.planning import BATCH_SCHEMA, SubmissionFacts
from assets.provenance import RESULTS_SCHEMA
from assets.spending import SUBMISSIONS_SCHEMA
from flows.gateways.files.storage import JobFile, Storage
from flows.tables.derived import (
    attempts_table,
    check_outcomes,
    history_table,
    kinds_table,
    last_submissions,
    refresh_derived,
    results_table,
    submissions_table,
)
from flows.tables.from_files import last_counts
from flows.tables.merging import MOST
from flows.tables.settlements import in_order_of_settlement

PAGES = ("CA:Lincoln:1901:1", "CA:Lincoln:1901:2", "TX:Austin:1901:10")
IDS = [f"01jd000000000000000000000{n}" for n in range(10)]
NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
PRICE = Price(input_usd=2.0, output_usd=10.0, cached_usd=1.0, batch_factor=0.5)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(
        root=tmp_path,
        manifests=tmp_path / "manifests",
        output_results=tmp_path / "results",
        document_fields=("state", "school", "year"),
    )


def close(
    storage: Storage,
    submission_id: str,
    kinds: Mapping[str, str],
    *,
    price: Price | None = PRICE,
    settled_at: datetime = NOW,
    **facts: Any,
) -> None:
    """Write a closed submission as passes do. ``kinds``: record key -> what became of it; each answer has 1,000 tokens
    in, 200 of them cached, 100 out and 20 thought. Failures were counted from 0 to 1."""
    told: dict[str, Any] = {"submission_id": submission_id, "collection": "t", "model": "gemini-3.5-flash"}
    told |= {"prompt_name": "page", "prompt_version": "v1", "prompt_hash": "a" * 64, "schema_name": "m:Page"}
    told |= {"response_schema_hash": "b" * 64, "result_schema": {}, "generation_config": {}, "context_mode": "none"}
    made = SubmissionFacts(**told | {"created_at": NOW, "price": price} | facts)
    rows = [
        {
            **{"position": at, "record_key": key, "image_path": f"{at}.jpg", "image_frame": 0, "image_bytes": 10},
            **{"image_mime_type": "image/jpeg", "image_modified_at": NOW, "image_sha256": submission_id},
            **{"estimated_image_tokens": 800, "estimated_text_tokens": 100, "estimated_output_tokens": 130},
            **({"estimated_usd": 0.25, "max_usd": 0.5} if price is not None else {}),
        }
        for at, key in enumerate(kinds)
    ]
    table = pa.Table.from_pylist(rows, schema=BATCH_SCHEMA).replace_schema_metadata(made.to_metadata())
    outcomes = [
        {
            **{"record_key": key, "submission_id": submission_id, "batch_id": "batches/b", "kind": kind, "message": ""},
            **{"model": made.model, "prompt_name": "page", "prompt_version": "v1", "settled_at": settled_at},
            "response_schema_hash": made.response_schema_hash,
            **({} if kind in NO_ANSWER else TOKENS),
            **({"count_before": 0, "count_after": 1} if kind == "api_error" else {}),
        }
        for key, kind in kinds.items()
    ]
    storage.create_batch_manifest(submission_id, table)
    storage.create_outcomes(submission_id, pa.Table.from_pylist(outcomes, schema=OUTCOME_SCHEMA))


NO_ANSWER = {"missing", "released", "batch_failed", "batch_cancelled", "upload_refused"}
TOKENS = {"prompt_tokens": 1000, "cached_tokens": 200, "output_tokens": 100, "thoughts_tokens": 20}


def shown(table: pa.Table) -> list[tuple[str, str]]:
    return [(row["record_key"], row["submission_id"]) for row in table.drop_columns(["image_modified_at"]).to_pylist()]


def test_before_the_first_batch_both_are_empty_and_nothing_is_written(storage: Storage) -> None:
    assert results_table(storage).equals(RESULTS_SCHEMA.empty_table())
    assert submissions_table(storage).equals(SUBMISSIONS_SCHEMA.empty_table())
    assert not storage.manifests.exists()


def test_grown_step_by_step_they_are_what_they_are_made_at_once(storage: Storage) -> None:
    first, second, third = PAGES
    for submission_id, kinds in (
        (IDS[1], {first: "success", second: "api_error"}),
        (IDS[0], {third: "success"}),
        (IDS[2], {second: "success", third: "superseded"}),
        (IDS[3], {first: "success"}),
    ):
        close(storage, submission_id, kinds)
        refresh_derived(storage)
    grown = results_table(storage), submissions_table(storage)
    for name in ("results", "submissions"):
        shutil.rmtree(storage.parts(name).folder)

    anew = results_table(storage), submissions_table(storage)

    assert [new.equals(old) for new, old in zip(anew, grown, strict=True)] == [True, True]
    assert anew[0].schema.equals(RESULTS_SCHEMA)
    assert anew[1].schema.equals(SUBMISSIONS_SCHEMA)
    assert shown(anew[0]) == [(first, IDS[3]), (second, IDS[2]), (third, IDS[0])]
    assert anew[1]["submission_id"].to_pylist() == IDS[:4]


def test_a_result_bears_what_made_it(storage: Storage) -> None:
    close(storage, IDS[0], {PAGES[0]: "api_error", PAGES[1]: "success"}, prompt_version="v7", prompt_hash="c" * 64)

    (row,) = results_table(storage).drop_columns(["image_modified_at"]).to_pylist()

    assert (row["record_key"], row["batch_id"], row["settled_at"]) == (PAGES[1], "batches/b", NOW)
    assert (row["prompt_hash"], row["schema_name"], row["response_schema_hash"]) == ("c" * 64, "m:Page", "b" * 64)
    assert (row["image_path"], row["image_sha256"]) == ("1.jpg", IDS[0]), "of its own row in the batch manifest"


@pytest.mark.parametrize("kind", ["api_error", "superseded", "missing", "released", "upload_refused"])
def test_what_wrote_no_result_is_not_among_the_results(storage: Storage, kind: str) -> None:
    close(storage, IDS[0], {PAGES[0]: kind})

    assert len(results_table(storage)) == 0
    assert submissions_table(storage)["records"].to_pylist() == [1]


def test_the_cost_of_a_submission_is_that_of_its_answers(storage: Storage) -> None:
    close(storage, IDS[0], {PAGES[0]: "success", PAGES[1]: "schema_mismatch", PAGES[2]: "missing"})
    close(storage, IDS[1], {PAGES[1]: "success"}, price=None)

    priced, unpriced = submissions_table(storage).to_pylist()

    assert (priced["records"], priced["succeeded"], priced["answers"]) == (3, 1, 2)
    assert (priced["prompt_tokens"], priced["cached_tokens"]) == (2000, 400)
    assert (priced["output_tokens"], priced["thoughts_tokens"]) == (200, 40)
    assert (priced["estimated_image_tokens"], priced["estimated_text_tokens"]) == (1600, 200), "of the answers alone"
    assert priced["usd"] == pytest.approx((1600 * 2 + 400 * 1 + 240 * 10) * 0.5 / 1e6)
    assert (priced["estimated_usd"], priced["unsure_usd"]) == (0.75, 0.5)
    assert (unpriced["usd"], unpriced["estimated_usd"], unpriced["unsure_usd"]) == (None, None, None)
    assert unpriced["prompt_tokens"] == 1000


@pytest.mark.parametrize(
    ("batch_id", "looked_at", "unsure"), [("batches/b", None, 0.5), (None, NOW, 0.5), (None, None, 0)]
)
def test_what_was_released_may_have_cost_something_only_if_a_job_may_exist(
    storage: Storage, batch_id: str | None, looked_at: datetime | None, unsure: float
) -> None:
    storage.write_job(JobFile(IDS[0], "files/i", batch_id, looked_at))
    close(storage, IDS[0], {PAGES[0]: "released"})

    (row,) = submissions_table(storage).to_pylist()

    assert (row["usd"], row["unsure_usd"]) == (0, unsure)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def other_columns(path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), path)


def no_metadata(path: Path) -> None:
    pq.write_table(pq.read_table(path).replace_schema_metadata(None), path)


def odd_metadata(path: Path) -> None:
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({"quire.submissions": "7"}), path)


@pytest.mark.parametrize("damage", [cut_short, empty, other_columns, no_metadata, odd_metadata, Path.unlink])
@pytest.mark.parametrize("name", ["results", "submissions"])
def test_a_table_that_cannot_be_used_is_made_anew(storage: Storage, name: str, damage: Callable[[Path], None]) -> None:
    close(storage, IDS[0], {PAGES[0]: "success"})
    refresh_derived(storage)
    before = results_table(storage), submissions_table(storage)
    [part] = storage.parts(name).all()
    damage(part.path)
    close(storage, IDS[1], {PAGES[1]: "success"})

    after = results_table(storage), submissions_table(storage)

    assert [table.slice(0, 1).equals(old) for table, old in zip(after, before, strict=True)] == [True, True]
    assert [len(table) for table in after] == [2, 2]


def test_outcomes_that_vanished_are_missed_and_never_forgotten(storage: Storage) -> None:
    close(storage, IDS[0], {PAGES[0]: "success"})
    close(storage, IDS[1], {PAGES[0]: "success", PAGES[1]: "success"})
    refresh_derived(storage)
    check_outcomes(storage)
    storage.outcomes_path(IDS[1]).unlink()

    for look in (check_outcomes, results_table, submissions_table, history_table):
        with pytest.raises(
            ManifestError, match=rf"outcomes/{IDS[1]}\.parquet: is gone, though \S+manifests/\w+ goes by it"
        ):
            look(storage)


def test_nothing_is_written_while_nothing_has_changed(storage: Storage) -> None:
    close(storage, IDS[0], {PAGES[0]: "success"})
    refresh_derived(storage)
    folders = [storage.parts(name).folder for name in ("results", "submissions")]
    before = [sorted(folder.iterdir()) for folder in folders]

    refresh_derived(storage)
    close(storage, IDS[1], {PAGES[1]: "success"})
    assert len(results_table(storage, write=False)) == len(submissions_table(storage, write=False)) == 2, "looked at"

    assert [sorted(folder.iterdir()) for folder in folders] == before


def test_what_cannot_be_read_is_named_and_the_tables_stay(storage: Storage) -> None:
    close(storage, IDS[0], {PAGES[0]: "success"})
    refresh_derived(storage)
    close(storage, IDS[1], {PAGES[1]: "success"})
    whole = storage.outcomes_path(IDS[1]).read_bytes()
    storage.outcomes_path(IDS[1]).write_bytes(b"no table")

    with pytest.raises(ManifestError, match=IDS[1]):
        refresh_derived(storage)

    storage.outcomes_path(IDS[1]).write_bytes(whole)
    assert len(results_table(storage)) == 2


def test_what_is_the_latest_is_told_by_the_order_of_settlement_and_by_no_clock(storage: Storage) -> None:
    first, second, _ = PAGES
    close(storage, IDS[5], {first: "success", second: "released"})
    refresh_derived(storage)
    close(storage, IDS[4], {first: "success", second: "success"}, settled_at=NOW - timedelta(days=3))
    close(storage, IDS[3], {first: "api_error"}, settled_at=NOW - timedelta(days=9))

    for _ in ("grown", "anew"):
        assert shown(results_table(storage)) == [(first, IDS[4]), (second, IDS[4])]
        assert last_submissions(storage, PAGES) == {first: (IDS[3], "api_error"), second: (IDS[4], "success")}
        numbers = submissions_table(storage).select(["submission_id", "settlement"]).to_pylist()
        assert numbers == [{"submission_id": IDS[5 - n], "settlement": n + 1} for n in (2, 1, 0)]
        for name in ("results", "history", "submissions"):
            shutil.rmtree(storage.parts(name).folder, ignore_errors=True)
    names = [IDS[5], IDS[4], IDS[3]]
    assert in_order_of_settlement(storage, sorted(names)) == names
    assert last_counts(storage) == {first: 1}


def test_what_an_earlier_release_has_settled_comes_first_and_goes_by_its_times(storage: Storage) -> None:
    close(storage, IDS[2], {PAGES[0]: "success"}, settled_at=NOW + timedelta(days=1))
    close(storage, IDS[1], {PAGES[0]: "success"})
    for each in (IDS[1], IDS[2]):
        path = storage.outcomes_path(each)
        pq.write_table(pq.read_table(path).drop_columns(["settlement"]), path)
    close(storage, IDS[0], {PAGES[0]: "success"}, settled_at=NOW - timedelta(days=1))

    assert in_order_of_settlement(storage, IDS[:3]) == [IDS[1], IDS[2], IDS[0]]
    assert shown(results_table(storage)) == [(PAGES[0], IDS[0])]
    assert storage.settlements() == 3


def test_a_failure_that_was_taken_back_is_not_counted_again(storage: Storage) -> None:
    close(storage, IDS[0], {PAGES[0]: "api_error", PAGES[1]: "api_error"})
    table = storage.read_outcomes(IDS[0]).slice(0, 1)
    for name, value in (("count_before", 1), ("count_after", 0)):
        at = table.schema.get_field_index(name)
        table = table.set_column(at, OUTCOME_SCHEMA.field(name), pa.array([value], pa.int32()))
    storage.create_outcomes(f"{IDS[0]}.resettled-1", table)

    assert last_counts(storage) == {PAGES[1]: 1}, "quire recover makes the Variables anew of these"


def test_what_an_earlier_release_kept_in_single_files_becomes_the_first_part(storage: Storage) -> None:
    first, second, third = PAGES
    close(storage, IDS[0], {first: "success", second: "api_error"})
    refresh_derived(storage)
    single = {
        "results": (results_table(storage), RESULTS_SCHEMA),
        "submissions": (submissions_table(storage), SUBMISSIONS_SCHEMA),
        "history": (history_table(storage), HISTORY_SCHEMA),
    }
    for name, (table, schema) in single.items():
        shutil.rmtree(storage.parts(name).folder)
        then = pa.schema([field for field in schema if field.name not in PLACE])
        metadata = {"quire.submissions": json.dumps([IDS[0]])}
        storage.write_derived(name, table.select(then.names).cast(then).replace_schema_metadata(metadata))
    # Nobody has to open it any more; that it is there is asked.
    whole = storage.outcomes_path(IDS[0]).read_bytes()
    storage.outcomes_path(IDS[0]).write_bytes(b"")
    close(storage, IDS[1], {third: "success"})

    assert len(results_table(storage, write=False)) == 2
    assert storage.derived_path("results").exists(), "looking changes nothing"
    for look in (results_table, submissions_table, history_table):
        look(storage)
    storage.outcomes_path(IDS[0]).write_bytes(whole)

    assert shown(results_table(storage)) == [(first, IDS[0]), (third, IDS[1])]
    assert history_table(storage)["record_key"].to_pylist() == [second]
    assert submissions_table(storage)["submission_id"].to_pylist() == IDS[:2]
    assert not any(storage.derived_path(name).exists() for name in single)
    storage.outcomes_path(IDS[0]).unlink()
    with pytest.raises(ManifestError, match="goes by it"):
        check_outcomes(storage)


def test_many_settlements_leave_few_parts_and_the_newest_rows(storage: Storage) -> None:
    for number in range(30):
        kinds = {PAGES[number % 3]: "success" if number % 5 else "api_error"}
        close(storage, f"01jd{number:022}", kinds)
        refresh_derived(storage)
        assert all(len(storage.parts(name).all()) <= MOST for name in ("results", "history", "submissions", "attempts"))
    grown = [look(storage) for look in (results_table, history_table, submissions_table, attempts_table, kinds_table)]

    for name in ("results", "history", "submissions", "attempts", "outcome_kinds"):
        shutil.rmtree(storage.parts(name).folder)

    anew = [look(storage) for look in (results_table, history_table, submissions_table, attempts_table, kinds_table)]
    sorts = [["record_key"], ["record_key"], ["submission_id"], ["record_key", "outcomes"], ["submission_id", "kind"]]
    for old, new, names in zip(grown, anew, sorts, strict=True):
        by = [(name, "ascending") for name in names]
        assert _plain(old.sort_by(by)) == _plain(new.sort_by(by))
    assert len(attempts_table(storage, keys=[PAGES[1]])) == 10
    assert len(results_table(storage, keys=["X:y:z:1"])) == 0


def _plain(table: pa.Table) -> list[Any]:
    # In the history a record that has nothing to remember any more has a row where it had one before.
    rows = table.drop_columns([name for name in table.column_names if name.endswith("modified_at")]).to_pylist()
    return [row for row in rows if row.get("kind") != "success" or "records" in row]

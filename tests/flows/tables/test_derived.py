"""manifests/results and submissions as passes leave them."""

import shutil

import pyarrow.parquet as pq
import pytest

from assets.plain_rows import plain_rows
from flows.gateways.files.storage import Storage
from flows.tables.derived import results_table, submissions_table
from tests.flows.recorded import Recorded
from tests.project import JOB_SECONDS, JsonObject, Project


def storage_of(project: Project) -> Storage:
    return Storage(
        root=project.root,
        manifests=project.manifests,
        output_results=project.root / "dataset/output_results",
        document_fields=("state", "school", "year"),
    )


def table(project: Project, name: str) -> list[JsonObject]:
    return plain_rows(pq.read_table(project.manifests / name))


@pytest.mark.detached
async def test_after_a_pass_that_settled_they_tell_of_it(project: Project) -> None:
    first, second = project.add_pages("CA:Lincoln:1901", [1, 2])
    [bad] = project.add_pages("TX:Austin:1901", [1])
    project.gemini.set_steps(bad, "not_json", "auto")

    await project.run_until_idle()

    submissions = project.submissions()
    made = {row["record_key"]: row["submission_id"] for row in table(project, "results")}
    assert made == {first: submissions[0], second: submissions[1], bad: submissions[1]}
    rows = table(project, "submissions")
    assert [row["submission_id"] for row in rows] == submissions
    assert [(row["records"], row["succeeded"], row["answers"]) for row in rows] == [(2, 1, 2), (2, 2, 2)]
    paid = {name: sum(row[name] or 0 for row in project.outcomes()) for name in ("prompt_tokens", "output_tokens")}
    assert {name: sum(row[name] for row in rows) for name in paid} == paid
    for row in rows:
        tokens = row["prompt_tokens"] * 1.5 + (row["output_tokens"] + row["thoughts_tokens"]) * 9.0
        assert abs(row["usd"] - tokens / 2 / 1e6) < 1e-12, "the shipped price of the model, half of it in a batch"

    storage = storage_of(project)
    grown = results_table(storage), submissions_table(storage)
    for name in ("results", "submissions"):
        shutil.rmtree(storage.parts(name).folder)
    assert (results_table(storage).equals(grown[0]), submissions_table(storage).equals(grown[1])) == (True, True)


@pytest.mark.detached
async def test_a_record_that_is_read_again_has_its_later_row(project: Project) -> None:
    [key, other] = [*project.add_pages("CA:Lincoln:1901", [1]), *project.add_pages("TX:Austin:1901", [1])]
    await project.run_until_idle()
    project.result_path(key).unlink()

    await project.run_until_idle()

    rows = {row["record_key"]: row["submission_id"] for row in table(project, "results")}
    assert rows == {key: project.submissions()[-1], other: project.submissions()[0]}
    assert len(table(project, "submissions")) == 2


@pytest.mark.detached
async def test_a_release_counts_and_a_pass_that_closes_nothing_touches_nothing(project: Project) -> None:
    project.configure(safety={"put_back_minutes": 0})
    project.add_pages("CA:Lincoln:1901", [1])
    await project.run_pass()
    await project.run_pass()
    assert not (project.manifests / "results").exists()
    await project.edit_variable("active_batch_ids", [])

    await project.run_pass()

    [row] = table(project, "submissions")
    assert (row["submission_id"], row["succeeded"]) == (project.submissions()[0], 0)
    assert table(project, "results") == []
    parts = sorted((project.manifests / "results").iterdir())
    await project.run_pass()
    assert sorted((project.manifests / "results").iterdir()) == parts


async def test_trouble_with_them_loses_nothing_and_is_made_good_later(project: Project) -> None:
    [key] = project.add_pages("CA:Lincoln:1901", [1])
    await project.run_pass()
    project.gemini.advance(JOB_SECONDS)
    # Nothing can be written there.
    (project.manifests / "results").symlink_to("nowhere")

    await project.run_until_idle()

    assert project.result(key) is not None
    assert await project.variable("active_batch_ids") == []
    warnings = [text for text in await Recorded(project).texts("WARNING") if "a later pass catches up" in text]
    assert len(warnings) == 1
    (project.manifests / "results").unlink()
    assert results_table(storage_of(project))["record_key"].to_pylist() == [key]

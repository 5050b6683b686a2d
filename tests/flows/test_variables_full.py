"""A collection of long names: what does not fit into a Variable goes on as ranges, references and further pages, and no
Variable is ever over Prefect's limit."""

from collections.abc import Mapping
from typing import Any

import orjson

from assets.domain.record import decode_range
from flows.pipeline import PassReport
from flows.terminal.reruns import Words, unblock_text
from tests.project import JOB_SECONDS, Project

LIMIT_BYTES = 5000
DOCUMENTS = 300
NAME_BYTES = 60


async def test_three_hundred_records_in_flight_and_six_hundred_that_fail(project: Project) -> None:
    project.configure(
        context={"mode": "none"},
        execution={"max_retries": 0, "batch_size_limit": 600},
        limits={"tier": 3},
        safety={"max_failure_rate": 1},
    )
    documents = [_document(number) for number in range(DOCUMENTS)]
    assert {len(document.encode()) for document in documents} == {NAME_BYTES}
    # Pages 2 and 4, with a gap between them, so that no range holds two.
    failing = [key for document in documents for key in project.add_pages(document, [2, 4])]
    project.gemini.set_rules(records=[{"key": key, "steps": ["empty"]} for key in failing])
    await _pass(project)
    project.gemini.advance(JOB_SECONDS)
    project.configure(execution={"batch_size_limit": 150})
    in_flight = [key for document in documents for key in project.add_pages(document, [1])]

    await _pass(project)

    variables = await project.variables()
    pages = _count_pages(variables)
    assert len(pages) > 1, "the counts went on in further pages"
    assert _counts(variables) == dict.fromkeys(failing, 1)
    submissions = project.submissions()[1:]
    batches = dict(zip(variables["active_batch_ids"], submissions, strict=True))
    assert len(batches) == 2
    assert variables["batch_record_keys"] == {name: [f"@{submission}"] for name, submission in batches.items()}
    assert sorted(variables["inflight_record_ids"]) == sorted(f"@{submission}" for submission in submissions)
    books = project.gemini.books()["records"]
    assert {key for key, record in books.items() if record["answered"] < record["submitted"]} == set(in_flight)

    read_by_a_person = failing[1::2]
    for key in read_by_a_person:
        project.result_path(key).parent.mkdir(parents=True, exist_ok=True)
        project.result_path(key).write_text("{}", encoding="utf-8")
    project.gemini.advance(JOB_SECONDS)
    report = await _pass(project)

    assert report.is_idle
    assert all(project.result(key) is not None for key in in_flight)
    variables = await project.variables()
    assert _counts(variables) == dict.fromkeys(failing[0::2], 1), "the counts of what is done were pruned"
    assert len(_count_pages(variables)) <= len(pages) // 2 + 1, "and the pages were packed"
    assert variables["active_batch_ids"] == variables["inflight_record_ids"] == []
    assert variables["batch_record_keys"] == {}
    assert {record["submitted"] for record in project.gemini.books()["records"].values()} == {1}
    assert project.gemini.existing_files() == []


async def _pass(project: Project) -> PassReport:
    report = await project.run_pass()
    for name, value in (await project.variables()).items():
        assert len(orjson.dumps(value)) <= LIMIT_BYTES, name
    return report


def _document(number: int) -> str:
    """60 bytes, some of them in letters that take two."""
    return f"TX:Peñón Normal School of Agriculture, No. {number:010}:1901"


def _count_pages(variables: Mapping[str, Any]) -> list[str]:
    return [name for name in variables if name.startswith("record_failure_counts")]


def _counts(variables: Mapping[str, Any]) -> dict[str, int]:
    """All counts, ranges unfolded."""
    return {
        key: count
        for name in _count_pages(variables)
        for entry, count in variables[name].items()
        for key in decode_range(entry)
    }


async def test_a_range_of_a_million_records_stays_one_entry_while_its_pages_fail(
    project: Project,
) -> None:
    project.configure(context={"mode": "none"}, execution={"max_retries": 3})
    bad, good = project.add_pages("CA:Lincoln:2023", [7, 8])
    await project.run_pass()
    everything = "CA:Lincoln:2023:1-1000000"
    await project.edit_variable("record_failure_counts", {everything: 1})
    project.gemini.set_rules(records=[{"key": bad, "steps": ["empty"]}])
    project.gemini.advance(JOB_SECONDS)

    await project.run_pass()

    assert project.result(good) is not None
    assert await project.variable("record_failure_counts") == {
        "CA:Lincoln:2023:1-6": 1,
        bad: 2,
        "CA:Lincoln:2023:8-1000000": 1,
    }
    assert await unblock_text(str(project.config), Words([everything]), yes=True) == "1000000 counts reset"
    assert await project.variable("record_failure_counts") == {}

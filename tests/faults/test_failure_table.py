"""The table of docs/failures.md, as far as calls and whole batches go: one shelf on which all of it happens in four
passes, and a test for each row of what was to be seen then. Single answers stand in test_failure_lines.py.

The shelf: Adams' image cannot be uploaded, Baker's is refused, Clark's is good. Then pairs of pages go into batches,
and each batch meets its own trouble while it is polled.
"""

import json
import logging
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from assets.domain.errors import GeminiTransientError
from flows.pipeline import PassReport
from flows.poll import poll
from flows.terminal.show import release_text
from tests.flows.recorded import Recorded
from tests.prefect_server import PrefectServer
from tests.project import JOB_SECONDS, Project

LATE, REFUSED, GOOD = "Adams", "Baker", "Clark"
PAIRS = {
    "cut": ("Davis", "Drake"),
    "not in the list": ("Ellis", "Evans"),
    "stuck": ("Flint", "Foster"),
    "failed": ("Grant", "Green"),
    "cancelled": ("Hayes", "Hughes"),
    "expired": ("Irwin", "Ives"),
    "half": ("James", "Jones"),
    "done by hand": ("Kelly", "King"),
    "disk": ("Lewis", "Long"),
    "gone": ("Moore", "Morris"),
}


@dataclass
class Seen:
    """What was to be seen after a pass: Variables as Prefect gives them, outcomes by record, results, and the books.
    ``lines``: what was logged so far, level and text."""

    report: PassReport | None
    variables: dict[str, Any]
    outcomes: dict[str, list[dict[str, Any]]]
    results: dict[str, Any]
    records: dict[str, Any]
    files: list[str]
    lines: list[tuple[str, str]]

    def kinds(self, what: str) -> list[list[str]]:
        """Of a pair: the kinds of each record's outcomes, oldest first."""
        return [[row["kind"] for row in self.outcomes.get(key, [])] for key in pair(what)]

    def texts(self, level: str) -> list[str]:
        return [text for each, text in self.lines if each == level]


@dataclass
class Shelf:
    """``jobs``: pair -> the batch id of its first batch; ``tries``: name of a call -> the numbers of the tries that
    failed and were followed by another, as the log has them."""

    project: Project
    uploads: Seen
    unlisted: Seen
    polled: Seen
    ended: Seen
    jobs: dict[str, str]
    tries: dict[str, list[int]]
    uploaded_names: list[str] = field(default_factory=list)
    said_by_release: str = ""


def key_of(name: str) -> str:
    return f"CA:{name}:1901:1"


def pair(what: str) -> list[str]:
    return [key_of(name) for name in PAIRS[what]]


@pytest.fixture(scope="module")
def prefect_server(recording_server: PrefectServer) -> PrefectServer:
    """One that keeps events and task runs."""
    return recording_server


@pytest.fixture(scope="module")
async def shelf(shared_project: Project) -> Shelf:
    """The passes, and the release of the batch that Gemini does not know any more."""
    project, gemini = shared_project, shared_project.gemini
    project.configure(safety={"max_failed_batches_in_a_row": 100, "max_failure_rate": 1})

    _add(project, LATE, REFUSED, GOOD)
    gemini.add_fault("upload_start", display_name="*-0-[0-9]", status=503, times=3)
    gemini.add_fault("upload_start", display_name="*-1-1", status=400, message="no picture")
    uploads = await _see(project, await project.run_pass())

    _add(project, *(name for names in PAIRS.values() for name in names))
    project.configure(execution={"batch_size_limit": 2})
    gemini.set_rules(
        jobs=[
            *({"contains_key": pair(end)[0], "end": end.upper()} for end in ("failed", "cancelled", "expired")),
            {"contains_key": pair("half")[0], "end": "FAILED", "result_file": True, "result_lines": 1},
            *({"contains_key": pair(what)[0], "list_lag_calls": 99} for what in ("not in the list", "gone")),
        ]
    )
    await project.run_pass()
    jobs = {what: str(gemini.record(pair(what)[0])["batches"][0]) for what in PAIRS}
    gemini.set_rules()
    gemini.advance(JOB_SECONDS)
    _make_trouble(project)

    gemini.add_fault("list_batches", status=503, times=4)
    with pytest.raises(GeminiTransientError, match="list of batches"):
        await project.run_pass()
    unlisted = await _see(project, None)

    gemini.add_fault("list_batches", status=503)
    gemini.add_fault("list_batches", status=429)
    gemini.add_fault("list_batches", cut="connection")
    stuck = (await poll(str(project.config))).stuck
    assert re.search(r"CA/Lewis/1901[^:]*: Not a directory; look what is wrong there", stuck[jobs["disk"]])
    polled = await _see(project, None)

    gemini.clear_faults()
    gemini.add_fault("get_batch", key=pair("gone")[0], status=404, times=None)
    (project.root / "dataset/output_results/CA/Lewis").unlink()
    await project.run_pass()
    gemini.advance(JOB_SECONDS)
    ended = await _see(project, await project.run_pass())
    recorded = Recorded(project)
    names = ("list_batches", "get_batch", "download_results")
    failed = [re.match(r"(\w+) failed, try (\d+): ", line.text) for line in await recorded.lines(logging.WARNING)]
    tries = {name: sorted(int(each[2]) for each in failed if each and each[1] == name) for name in names}
    uploaded = [file["displayName"] for file in gemini.books()["files"]]
    said = await release_text(str(project.config), jobs["gone"], cancel=False)
    return Shelf(project, uploads, unlisted, polled, ended, jobs, tries, uploaded, said)


def _add(project: Project, *names: str) -> None:
    """A page in a document of its own for each: all of them can be sent at once."""
    for name in names:
        project.add_pages(f"CA:{name}:1901", [1])


def _make_trouble(project: Project) -> None:
    """What each pair meets when it is polled."""
    gemini = project.gemini
    gemini.add_fault("get_batch", key=pair("not in the list")[0], status=500, times=2)
    gemini.add_fault("get_batch", key=pair("gone")[0], status=404, times=None)
    gemini.add_fault("download", key=pair("cut")[0], cut="body", after_bytes=20)
    gemini.add_fault("download", key=pair("cut")[0], status=503)
    gemini.add_fault("download", key=pair("stuck")[0], status=503, times=None)
    by_hand = project.result_path(pair("done by hand")[0])
    by_hand.parent.mkdir(parents=True)
    by_hand.write_text(json.dumps({"by": "hand"}))
    (project.root / "dataset/output_results/CA/Lewis").write_text("a file where a folder should be")


async def _see(project: Project, report: PassReport | None) -> Seen:
    outcomes: dict[str, list[dict[str, Any]]] = {}
    for row in project.outcomes():
        outcomes.setdefault(row["record_key"], []).append(row)
    pages = [page.relative_to(project.root / "dataset/page_images") for page in _images(project)]
    keys = [":".join([*page.parent.parts, page.stem]) for page in pages]
    return Seen(
        report,
        await project.variables(),
        outcomes,
        {key: result for key in keys if (result := _result(project, key)) is not None},
        project.gemini.books()["records"],
        project.gemini.existing_files(),
        [(line.level, line.text) for line in await Recorded(project).lines()],
    )


def _images(project: Project) -> list[Path]:
    return sorted((project.root / "dataset/page_images").rglob("*.jpg"))


def _result(project: Project, key: str) -> Any:
    try:
        return project.result(key)
    except NotADirectoryError:
        return None


async def test_network_error_5xx_429_on_poll_list_download_is_tried_again_and_the_others_go_on(
    shelf: Shelf,
) -> None:
    # The list: in vain for the third pass, three troubles for the fourth.
    assert shelf.tries["list_batches"] == [1, 1, 2, 2, 3, 3]
    assert shelf.tries["get_batch"] == [1, 2], "404 is not asked again"
    assert shelf.tries["download_results"] == [1, 1, 2, 2, 3]

    for what in ("cut", "not in the list"):
        assert shelf.polled.kinds(what) == [["success"], ["success"]]
    assert shelf.polled.kinds("stuck") == [[], []]
    assert shelf.jobs["stuck"] in shelf.polled.variables["active_batch_ids"]
    [error] = [text for text in shelf.polled.texts("ERROR") if text.startswith(f"Cannot settle {shelf.jobs['stuck']} ")]
    assert error.startswith(f"Cannot settle {shelf.jobs['stuck']} now; it stays as it is for the next pass")
    assert "Traceback" in error, "errors of the API come with their stack trace"
    assert shelf.ended.kinds("stuck") == [["success"], ["success"]]
    for what in ("cut", "not in the list", "stuck"):
        for key in pair(what):
            assert (shelf.ended.records[key]["submitted"], shelf.ended.records[key]["billed"]) == (1, 1)
            assert key in shelf.ended.results


async def test_list_that_cannot_be_had_at_all_ends_the_pass_and_changes_nothing(shelf: Shelf) -> None:
    assert {*shelf.jobs.values()} <= {*shelf.unlisted.variables["active_batch_ids"]}
    assert shelf.unlisted.outcomes.keys() == {key_of(REFUSED)}
    assert shelf.unlisted.results.keys() == {pair("done by hand")[0]}


async def test_image_upload_fails_for_good_page_skipped_this_cycle_with_a_warning_and_the_next_scan_picks_it_up(
    shelf: Shelf,
) -> None:
    late = key_of(LATE)
    assert shelf.uploads.report is not None
    assert shelf.uploads.report.submit.sent == 1
    assert shelf.uploads.records.keys() == {key_of(GOOD)}
    assert late not in shelf.uploads.outcomes
    [warning] = [text for text in shelf.uploads.texts("WARNING") if "Upload" in text]
    assert warning.startswith(f"Upload failed for good, page left out of this cycle: {late}: ")
    assert (shelf.ended.records[late]["submitted"], late in shelf.ended.results) == (1, True)
    assert len(shelf.uploaded_names) == len(set(shelf.uploaded_names)), "every upload has a name of its own"


async def test_image_upload_refused_as_unreadable_is_a_failure_of_the_record(shelf: Shelf) -> None:
    refused = key_of(REFUSED)
    [row] = shelf.uploads.outcomes[refused]
    assert (row["kind"], row["count_after"]) == ("upload_refused", 1)
    assert "no picture" in row["message"]
    assert shelf.uploads.variables["record_failure_counts"] == {refused: 1}
    [error] = shelf.uploads.texts("ERROR")
    assert error.startswith(f"Gemini refused the image: {refused}: ")
    assert "no picture" in error
    assert (shelf.ended.records[refused]["submitted"], refused in shelf.ended.results) == (1, True)


async def test_job_failed_cancelled_expired_batch_dropped_and_records_freed_without_counting(shelf: Shelf) -> None:
    jobs, polled = shelf.jobs, shelf.polled
    for end in ("failed", "cancelled", "expired"):
        assert polled.kinds(end) == [[f"batch_{end}"]] * 2
        assert shelf.ended.kinds(end) == [[f"batch_{end}", "success"]] * 2, "what was freed was sent again"
        assert [shelf.ended.records[key]["billed"] for key in pair(end)] == [1, 1]
        assert jobs[end] not in polled.variables["active_batch_ids"]
    assert polled.kinds("half") == [["success"], ["batch_failed"]], "a result file counts, whatever the end"
    rows = [
        row for end in ("failed", "cancelled", "expired", "half") for key in pair(end) for row in polled.outcomes[key]
    ]
    assert {(row["count_before"], row["count_after"]) for row in rows} == {(None, None)}
    assert polled.variables["record_failure_counts"] == {key_of(REFUSED): 1}
    assert {text for text in polled.texts("ERROR") if text.startswith("Batch Failed")} == {
        f"Batch Failed: {jobs['failed']}: 2 batch_failed",
        f"Batch Failed: {jobs['half']}: 1 batch_failed, 1 success",
    }
    assert f"Batch Cancelled: {jobs['cancelled']}: 2 batch_cancelled" in polled.texts("WARNING")
    assert f"Batch Expired: {jobs['expired']}: 2 batch_expired" in polled.texts("WARNING")


async def test_job_that_gemini_does_not_know_is_an_error_for_a_person_and_never_freed_by_itself(shelf: Shelf) -> None:
    name = shelf.jobs["gone"]
    for seen in (shelf.polled, shelf.ended):
        assert name in seen.variables["active_batch_ids"]
        assert seen.kinds("gone") == [[], []]
        assert [seen.records[key]["submitted"] for key in pair("gone")] == [1, 1]
        assert any(text.partition("\n")[0].endswith(f"run quire release {name}") for text in seen.texts("ERROR"))
    assert shelf.ended.report is not None
    assert list(shelf.ended.report.poll.stuck) == [name]
    assert "2 records are free" in shelf.said_by_release


async def test_record_done_before_its_answer_came_is_superseded_and_the_answer_not_written(shelf: Shelf) -> None:
    by_hand, other = pair("done by hand")
    assert shelf.ended.results[by_hand] == {"by": "hand"}
    assert other in shelf.ended.results
    assert shelf.polled.kinds("done by hand") == [["superseded"], ["success"]]
    said = f"Done before, so that this answer is not written: {by_hand}: "
    assert any(text.startswith(said) for text in shelf.polled.texts("WARNING"))


async def test_trouble_with_the_disk_aborts_a_settlement_and_is_never_an_outcome(shelf: Shelf) -> None:
    assert shelf.polled.kinds("disk") == [[], []]
    assert shelf.jobs["disk"] in shelf.polled.variables["active_batch_ids"]
    [line] = [text for text in shelf.polled.texts("ERROR") if "CA/Lewis" in text and "Cannot settle" in text]
    assert line.startswith(f"Cannot settle {shelf.jobs['disk']} now; it stays as it is for the next pass: ")
    assert "; look what is wrong there, then run again; " in line
    assert line.endswith("its answers are kept in manifests/raw, and each pass tries again"), "no traceback"
    assert shelf.ended.kinds("disk") == [["success"], ["success"]]
    assert [shelf.ended.records[key]["submitted"] for key in pair("disk")] == [1, 1]


async def test_nothing_is_left_when_all_of_it_is_over(shelf: Shelf) -> None:
    assert shelf.ended.variables["active_batch_ids"] == [shelf.jobs["gone"]]
    assert shelf.ended.variables["record_failure_counts"] == {key_of(REFUSED): 1}
    assert len(shelf.ended.files) == 3, "two images and the input file of the batch that waits for a person"
    assert {key: record["billed"] for key, record in shelf.ended.records.items() if record["billed"] != 1} == {}

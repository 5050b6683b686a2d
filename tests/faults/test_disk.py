"""A file system that fails, and file systems that do not know all that ours does. A sample of the errno matrix; all of
it is ``make errno-matrix``."""

import errno
import os
import re
from pathlib import Path

import pytest

from assets.domain.errors import DiskError
from flows.gateways.files.home import MARK
from flows.scan import scan
from tests.command import run_quire
from tests.emulator_server import API_KEY, EmulatorHandle
from tests.errno_matrix.faults import Fault, faults_in
from tests.errno_matrix.folding import without_capitals
from tests.errno_matrix.run import points_of, reference_run, run_with
from tests.prefect_server import PrefectServer
from tests.project import JOB_SECONDS, Project

SAMPLE = 40
FAR_AWAY = 10_413_792_000
"""In the year 2300; pyarrow's nanoseconds end in 2262."""


async def test_each_call_to_the_file_system_may_fail_and_the_run_ends_as_if_it_had_not(
    tmp_path: Path, gemini: EmulatorHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", API_KEY)
    points = points_of(await reference_run(tmp_path / "reference", gemini))
    problems = {}
    for number, fault in enumerate(points[:SAMPLE]):
        ended = await run_with(tmp_path / str(number), gemini, fault)
        if ended.problems:
            problems[fault.name] = ended.problems
    assert problems == {}


async def test_trouble_with_the_disk_is_one_line_and_status_1(project: Project, prefect_server: PrefectServer) -> None:
    project.add_pages("CA:Lincoln:1901", [1])
    project.manifests.mkdir()
    (project.manifests / "batches").write_text("a file in the place of a folder")

    ended = await run_quire(
        *("run", "--config", str(project.config)),
        env=prefect_server.environment() | {"GEMINI_API_KEY": API_KEY},
        cwd=project.root,
    )
    assert ended.code == 1
    assert ended.said == [
        f"quire: {project.manifests / 'batches'}: Not a directory; look what is wrong there, then run again"
    ]
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("folder", ["dataset/output_results", "manifests/outcomes"])
async def test_nothing_is_uploaded_while_a_folder_of_ours_cannot_be_written(project: Project, folder: str) -> None:
    (key,) = project.add_pages("CA:Lincoln:1901", [1])
    place = project.root / folder
    await scan(str(project.config))
    with faults_in(project.root, Fault("create", errno.EROFS, f"create /{folder}/.tmp-*", lasts=True)) as calls:
        with pytest.raises(DiskError) as stopped:
            await project.run_pass()
        assert (
            str(stopped.value) == f"{place}: Read-only file system; mount it so that it can be written, then run again"
        )
        assert calls.struck
        assert project.gemini.books()["files"] == []
    assert [each.name for each in place.iterdir() if each.is_file()] == [MARK]
    await project.run_until_idle()
    assert project.gemini.record(key)["billed"] == 1


async def test_nothing_is_uploaded_where_its_answers_would_have_no_room(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.add_pages("CA:Lincoln:1901", range(1, 41))
    project.configure(context={"mode": "none"})
    full = os.statvfs(project.root)
    with monkeypatch.context() as disk:
        # A disk with 1 MB left: the system's own answer, but for what is free.
        disk.setattr(
            os,
            "statvfs",
            lambda path: os.statvfs_result([*full[:2], full.f_blocks, *([1_000_000 // full.f_frsize] * 2), *full[5:]]),
        )
        with pytest.raises(
            DiskError, match=r"output_results: 40 records may need 1\.3 MB, 1\.0 MB are free; make room"
        ):
            await project.run_pass()
    assert project.gemini.books()["files"] == []


async def test_a_pass_that_could_not_write_an_answer_sends_nothing_more(project: Project) -> None:
    project.configure(execution={"batch_size_limit": 1})
    (first,) = project.add_pages("CA:Lincoln:1901", [1])
    await project.run_pass()
    project.gemini.advance(JOB_SECONDS)
    (second,) = project.add_pages("CA:Monroe:1901", [1])

    with (
        faults_in(project.root, Fault("write", errno.ENOSPC, "write /dataset/output_results/CA/Lincoln/1901/.tmp-*")),
        pytest.raises(DiskError, match=r"Lincoln/1901/1\.json: No space left on device; make room on that disk"),
    ):
        await project.run_pass()
    assert second not in project.gemini.books()["records"]

    await project.run_until_idle()
    assert [project.gemini.record(key)["billed"] for key in (first, second)] == [1, 1]


@pytest.mark.parametrize(
    ("kind", "place", "named"),
    [
        *((kind, "work/*.results.jsonl", r"work/.*\.results\.jsonl") for kind in ("create", "write", "open", "read")),
        *((kind, "raw/.tmp-*", r"raw/.*\.jsonl\.zst") for kind in ("create", "write", "fsync")),
        *((kind, "raw/*.jsonl.zst", r"raw/.*\.jsonl\.zst") for kind in ("rename", "open", "read")),
    ],
)
async def test_each_step_with_a_result_file_names_it_and_is_made_good_by_the_next_pass(
    project: Project, kind: str, place: str, named: str
) -> None:
    (key,) = project.add_pages("CA:Lincoln:1901", [1])
    await project.run_pass()
    project.gemini.advance(JOB_SECONDS)
    line, at = f"{kind} /manifests/{place}", 1
    while True:
        # Each time such a call is made, as far as a pass comes.
        with faults_in(project.root, Fault(kind, errno.EIO, line, at)) as calls:
            line_said = await _why_stopped(project)
        if not line_said:
            break
        assert re.search(rf"manifests/{named}: Input/output error; the disk", line_said)
        assert project.result(key) is None or kind == "read"
        at += 1
    assert not calls.struck
    assert at > 1
    assert project.gemini.record(key)["billed"] == 1


async def _why_stopped(project: Project) -> str:
    """The line with which a pass ended, or "" if it did its work."""
    try:
        await project.run_pass()
    except DiskError as error:
        return str(error)
    return ""


async def test_names_that_would_meet_in_the_results_are_left_out_before_anything_is_sent(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    met = [key for name in ("Kent", "KENT") for key in project.add_pages(f"CA:{name}:1901", [1])]
    (apart, *pages) = project.add_pages("CA:Lincoln:1901", [1, "2a", "2A"])
    with without_capitals(project.root / "dataset" / "output_results"):
        await project.run_until_idle()
    assert project.gemini.record(apart)["billed"] == 1
    assert {*met, *pages}.isdisjoint(project.gemini.books()["records"])
    for name, other in (("Kent", "KENT"), ("KENT", "Kent")):
        assert f"dataset/page_images/CA/{name}/1901: capitals do not count in " in caplog.text
        assert f"where its results would lie with those of CA/{other}; rename one of them" in caplog.text
    assert "where the result of page 2A would be that of page 2a; rename one of them" in caplog.text


async def test_a_record_whose_result_is_there_under_another_spelling_is_told_and_not_sent_again_and_again(
    project: Project,
) -> None:
    project.add_pages("CA:Kent:1901", [1])
    result = project.root / "dataset/output_results/CA/KENT/1901/1.json"
    result.parent.mkdir(parents=True)
    result.write_text("{}")
    with without_capitals(project.root / "dataset" / "output_results"):
        report = await project.run_pass()
    assert report.is_idle
    [line] = report.needs_person
    assert line.startswith("page CA:Kent:1901:1: ")
    assert line.endswith("written otherwise than the record's: write them alike")
    assert project.gemini.books()["files"] == []


async def test_a_damaged_result_keeps_back_the_page_behind_it_and_nothing_else(project: Project) -> None:
    project.add_pages("CA:Kent:1901", [1, 2])
    project.add_pages("CA:Lincoln:1901", [1, 2])
    damaged = project.result_path("CA:Kent:1901:1")
    damaged.parent.mkdir(parents=True)
    damaged.write_text("{")
    reports = await project.run_until_idle()
    assert project.gemini.books()["records"].keys() == {"CA:Lincoln:1901:1", "CA:Lincoln:1901:2"}
    [line] = reports[-1].needs_person
    assert line.startswith(f"page CA:Kent:1901:2: the result of the page before cannot go along: {damaged}: is no JSON")


async def test_trouble_of_one_document_leaves_it_out_and_the_others_go_on(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    (good,) = project.add_pages("CA:Lincoln:1901", [1])
    images, pdfs = (project.root / "dataset" / name for name in ("page_images", "source_documents"))
    project.add_pages("CA:Future:1901", [1])
    os.utime(images / "CA/Future/1901/1.jpg", (FAR_AWAY, FAR_AWAY))
    (images / "CA/Lincoln/1901/2.jpg").symlink_to("2.jpg")
    (images / "CA/Loop").symlink_to("Loop")
    (images / "CA" / os.fsdecode(b"Caf\xe9")).mkdir()
    (pdfs / "CA/Grant").mkdir(parents=True)
    (pdfs / "CA/Grant/1901.pdf").symlink_to("1901.pdf")
    (pdfs / "CA/Loop").symlink_to("Loop")
    (pdfs / "CA/Grant/1902.pdf").write_bytes(b"%PDF-1.4")
    os.utime(pdfs / "CA/Grant/1902.pdf", (FAR_AWAY, FAR_AWAY))

    await project.run_until_idle()
    assert project.gemini.record(good)["billed"] == 1
    assert list(project.gemini.books()["records"]) == [good]
    for place in ("CA/Future/1901/1.jpg", "CA/Grant/1902.pdf"):
        assert (
            f"{place}: its time of change is beyond what can be noted, from 1677 to 2262: set it with touch"
            in caplog.text
        )
    for place in (
        "page_images/CA/Lincoln/1901/2.jpg",
        "page_images/CA/Loop",
        "documents/CA/Grant/1901.pdf",
        "documents/CA/Loop",
    ):
        assert f"{place}: unreadable: Too many levels of symbolic links" in caplog.text
    assert "page_images/CA/Caf" in caplog.text


async def test_what_killed_passes_have_left_is_cleared_away(project: Project) -> None:
    (key,) = project.add_pages("CA:Lincoln:1901", [1])
    await project.run_until_idle()
    results = project.result_path(key).parent
    work = project.manifests / "work" / "01kill.results.jsonl"
    ours = [folder for folder in project.manifests.rglob("*") if folder.is_dir()]
    assert {folder.name for folder in ours} >= {"batches", "jobs", "outcomes", "raw", "uploads", "prompts"}
    old = [folder / ".tmp-0123456789abcdef" for folder in (results, project.manifests, *ours)]
    young = results / ".tmp-fedcba9876543210"
    for path in (work, *old, young):
        path.write_text("left")
    for path in old:
        os.utime(path, (1, 1))

    await project.run_pass()
    assert [path for path in (work, *old) if path.exists()] == []
    assert young.exists(), "a command may be writing it just now"
    assert project.result(key) is not None

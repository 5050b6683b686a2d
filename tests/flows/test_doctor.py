"""``quire doctor``: a line a check, what to do, and the exit status; it leaves nothing behind."""

import errno
from datetime import timedelta

import pytest

from flows.doctor.check import Check, Verdict
from flows.doctor.report import Diagnosis, diagnose
from flows.runtime.wiring import utc_now
from tests.command import run_quire
from tests.emulator_server import API_KEY
from tests.errno_matrix.faults import Fault, faults_in
from tests.errno_matrix.folding import without_capitals
from tests.prefect_server import PrefectServer
from tests.project import Project


def found(diagnosis: Diagnosis, what: str) -> Check:
    [check] = [each for each in diagnosis.checks if each.what == what]
    return check


def files(project: Project) -> list[str]:
    return sorted(str(path) for path in project.root.rglob("*"))


async def test_a_healthy_collection_has_nothing_that_stops_a_pass_and_nothing_is_left_behind(
    project: Project, prefect_server: PrefectServer
) -> None:
    project.add_pages("CA:Lincoln:1901", [1])
    await project.run_until_idle()
    before = files(project), await project.variables(), project.gemini.books()["files"]

    shown = await run_quire(
        *("doctor", "--config", str(project.config)),
        env=prefect_server.environment() | {"GEMINI_API_KEY": API_KEY},
        cwd=project.root,
    )
    assert (shown.code, shown.said) == (0, [])
    lines = shown.out.splitlines()
    assert [line.split("  ")[0].strip() for line in lines[:-1] if line.startswith("STOP")] == []
    for what in ("Python", "results", "manifests", "Prefect", "database", "leases", "Variables", "API key", "Gemini"):
        assert any(f" {what} " in line for line in lines), what
    assert lines[-1] == "nothing of this stops a pass"
    assert API_KEY not in shown.out
    assert (files(project), await project.variables(), project.gemini.books()["files"]) == before


async def test_what_stops_a_pass_is_named_with_the_mend(project: Project) -> None:
    project.add_pages("CA:Lincoln:1901", [1])
    await project.run_pass()
    await project.edit_variable("record_failure_counts", "nonsense")
    with faults_in(project.root, Fault("write", errno.ENOSPC, "write /manifests/.tmp-*", lasts=True)):
        diagnosis = await diagnose(str(project.config))
    stops = {check.what: check.line(0) for check in diagnosis.checks if check.verdict is Verdict.STOP}
    assert stops.keys() == {"manifests", "Variables"}
    assert stops["manifests"].endswith("No space left on device; make room on that disk, then run again")
    assert "record_failure_counts" in stops["Variables"]
    assert diagnosis.stops_a_pass
    assert diagnosis.text().endswith("2 of these stop a pass")


@pytest.mark.parametrize("hours", [-1, 1])
async def test_clocks_that_are_apart_are_told(project: Project, hours: int) -> None:
    diagnosis = await diagnose(str(project.config), now=lambda: utc_now() + timedelta(hours=hours))
    for what in ("clock and Prefect's", "clock and Gemini's"):
        check = found(diagnosis, what)
        assert check.verdict is Verdict.LOOK
        assert check.found.endswith("ahead" if hours > 0 else "behind")
        assert 3590 < int(check.found.split()[0]) < 3610


async def test_what_each_folder_can_do_and_whether_its_room_is_enough_is_told(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.root.joinpath("dataset/output_results").mkdir()
    monkeypatch.setattr("flows.doctor.machine.RECORD_BYTES", 10**15)
    with without_capitals(project.root), faults_in(project.root, Fault("link", errno.EPERM, lasts=True)):
        results = found(await diagnose(str(project.config)), "results")
    assert "can be written, no hard links (a rename), folders are synced, capitals do not count, " in results.found
    assert results.verdict is Verdict.LOOK
    assert results.line(0).endswith(" GB: make room")


async def test_pdfs_and_images_are_told_apart_where_there_are_both(project: Project) -> None:
    documents, images = project.root / "dataset/source_documents", project.root / "dataset/page_images"
    documents.mkdir()
    diagnosis = await diagnose(str(project.config))
    assert found(diagnosis, "PDFs").found == str(documents)
    assert found(diagnosis, "page images").found == f"{images}: a folder's time tells changes"
    images.rmdir()
    diagnosis = await diagnose(str(project.config))
    assert "page images" not in [check.what for check in diagnosis.checks], "the first scan makes the folder"
    assert found(diagnosis, "PDFs").found == str(documents)


async def test_without_prefect_images_and_with_a_wrong_key_the_rest_is_told(
    project: Project, prefect_server: PrefectServer
) -> None:
    images = project.root / "dataset/page_images"
    images.rename(images.with_name("elsewhere"))
    nobody = prefect_server.environment() | {"PREFECT_API_URL": "http://127.0.0.1:9/api", "GEMINI_API_KEY": "wrong-key"}
    shown = await run_quire("doctor", "--config", str(project.config), env=nobody, cwd=project.root)
    assert shown.code == 1
    stops = [line for line in shown.out.splitlines() if line.startswith("STOP")]
    for what, said in (
        ("page images", f"{images}"),
        ("Prefect", "http://127.0.0.1:9/api"),
        ("Gemini", "see that the key and its project are right"),
    ):
        assert any(f" {what} " in line and said in line for line in stops), what
    assert all(
        any(line.startswith("ok") and f" {what} " in line for line in shown.out.splitlines())
        for what in ("Python", "manifests")
    )
    assert shown.out.splitlines()[-1].endswith("stop a pass")
    assert "Traceback" not in shown.out + shown.err

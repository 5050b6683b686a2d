"""PDFs in a scan: what becomes of them in the manifest, what is told, what it costs, and a scan that is killed."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.objects import Artifact

from assets.plain_rows import plain_rows
from config.settings import load_settings
from flows.gateways.ports import SOURCE_MARKER, TEMPORARY_PREFIX
from flows.scan import ScanReport, scan
from tests.contracts.pdf.shelf import SQUARE, blanks, by_hand, content_bomb, image, stream, typeset
from tests.emulator_server import API_KEY
from tests.flows.recorded import Recorded
from tests.killing import free_locks
from tests.prefect_server import PrefectServer
from tests.processes import is_running, peak_memory, renderers
from tests.project import Project

QUIRE = (sys.executable, "-c", "from flows.cli import main; main()")
ROOT = Path(__file__).parents[2]
DEADLINE_SECONDS = 240
MAX_TREE_BYTES = 1_000_000_000


def place(project: Project, document: str) -> Path:
    path = project.root.joinpath("dataset", "source_documents", *document.split(":"))
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(f"{path.name}.pdf")


def images(project: Project) -> Path:
    return project.root / "dataset" / "page_images"


def leftovers(project: Project) -> list[Path]:
    return list(images(project).rglob(f"{TEMPORARY_PREFIX}*"))


async def run_scan(project: Project) -> ScanReport:
    report: ScanReport = await scan(str(project.config))
    return report


def keys_in_manifest(project: Project) -> list[str]:
    keys: list[str] = pq.read_table(project.manifests / "records.parquet")["record_key"].to_pylist()
    return keys


async def told(project: Project) -> list[str]:
    """The lines of our own, without those of Prefect about each run."""
    lines = await Recorded(project).lines()
    return [line.text for line in lines if not line.text.startswith(("Beginning flow run", "Finished in state"))]


async def artifacts(project: Project) -> list[Artifact]:
    key = ArtifactFilterKey(any_=[f"{project.collection.replace('_', '-')}-rendering"])
    async with get_client() as client:
        return await client.read_artifacts(artifact_filter=ArtifactFilter(key=key))


@asynccontextmanager
async def scanning(project: Project, server: PrefectServer) -> AsyncIterator[asyncio.subprocess.Process]:
    """A scan in a process of its own, which is killed in the end if it still runs; its locks are freed then, as waiting
    for the leases takes a minute."""
    process = await asyncio.create_subprocess_exec(
        *QUIRE,
        *("scan", "--config", str(project.config)),
        cwd=ROOT,
        env={**server.environment(), "GEMINI_API_KEY": API_KEY},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    await free_locks(project)


async def test_the_pages_of_pdfs_are_records_like_all_others(project: Project) -> None:
    typeset(place(project, "CA:Lincoln:1901"), 11)
    typeset(place(project, "CA:École nº 1:1902"), 2)
    keys = project.add_pages("AL:Adams:1901", [1])

    assert await run_scan(project) == ScanReport(records=14, added=14, removed=0, problems=0, changed=True)

    assert keys_in_manifest(project) == [
        *keys,
        *(f"CA:Lincoln:1901:{page}" for page in range(1, 12)),
        *(f"CA:École nº 1:1902:{page}" for page in (1, 2)),
    ]
    recorded = Recorded(project)
    assert await told(project) == [
        "Rendering 2 PDFs",
        "Rendered 13 pages of 2 PDFs",
        "Record manifest: 14 records, 14 new, 0 gone, 0 files left out",
    ]
    assert await recorded.texts("WARNING") == []
    [artifact] = await artifacts(project)
    assert artifact.data == 100
    assert artifact.description == "Rendered 13 pages of 2 PDFs"


async def test_a_scan_with_nothing_to_render_says_nothing_and_touches_nothing(project: Project) -> None:
    typeset(place(project, "CA:Lincoln:1901"), 2)
    await run_scan(project)
    folder = images(project) / "CA/Lincoln/1901"
    before = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in [folder, *folder.iterdir()]}
    said = await told(project)
    # It is not even opened: what is in it now would be a problem.
    pdf = place(project, "CA:Lincoln:1901")
    found = pdf.stat()
    pdf.write_bytes(b"x" * found.st_size)
    os.utime(pdf, ns=(found.st_atime_ns, found.st_mtime_ns))

    assert await run_scan(project) == ScanReport(records=2, added=0, removed=0, problems=0, changed=False)

    assert {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in [folder, *folder.iterdir()]} == before
    assert await told(project) == said
    assert len(await artifacts(project)) == 1


async def test_a_project_without_pdfs_hears_nothing_of_them(project: Project) -> None:
    project.add_pages("CA:Lincoln:1901", [1])
    await run_scan(project)
    assert await artifacts(project) == []
    assert not [text for text in await told(project) if "PDF" in text]


async def test_the_folder_of_images_is_made_where_there_are_pdfs(project: Project) -> None:
    images(project).rmdir()
    typeset(place(project, "CA:Lincoln:1901"), 1)
    assert (await run_scan(project)).records == 1


async def test_each_problem_is_told_once_and_listed_while_it_lasts(project: Project) -> None:
    typeset(place(project, "CA:Good:1901"), 2)
    place(project, "CA:Bad:1901").write_bytes(b"\x1b[31mno PDF")
    by_hand(place(project, "CA:Trap:1901"), [SQUARE, stream("", b"/X0 Do"), SQUARE], [image(4000, 3000)])
    typeset(place(project, "CA:Huge:1901"), 1, size=(8400, 8400))
    typeset(place(project, "CA:Own:1901"), 1)
    [own] = project.add_pages("CA:Own:1901", [1])
    place(project, "CA:Own:1901").with_name("notes\n.txt").touch()
    project.configure(safety={"max_image_pixels": 10_000_000})

    # The huge page is a record, and no file that was left out.
    report = await run_scan(project)
    assert (report.records, report.added, report.removed, report.problems, report.changed) == (6, 6, 0, 4, True)

    warnings = [
        "Left out: dataset/source_documents/CA/Bad/1901.pdf: it is damaged, has no pages, or is no PDF",
        "Left out: dataset/source_documents/CA/Own/1901.pdf: the folder already holds images of its own: 1.jpg is page "
        "1, and so is page 1 of the PDF",
        "Left out: dataset/source_documents/CA/Own/notes\\n.txt: no PDF: its name does not end in .pdf",
        "Left out: dataset/source_documents/CA/Trap/1901.pdf, page 2: it holds an image of 4000 x 3000 pixels; "
        "safety.max_image_pixels is 10000000",
        "Please check: dataset/source_documents/CA/Huge/1901.pdf, page 1: rendered at 26 dpi instead of 200, "
        "as render.max_side_pixels is 3072",
    ]
    assert sorted(await Recorded(project).texts("WARNING")) == warnings
    assert own in keys_in_manifest(project)
    assert "Rendered 5 pages of 4 PDFs, 2 left out" in await told(project)

    await run_scan(project)
    assert sorted(await Recorded(project).texts("WARNING")) == warnings
    listed = pq.read_table(project.manifests / "left_out.parquet")
    assert len(listed) == 5
    assert listed["left_out"].to_pylist().count(False) == 1
    assert [text for text in await told(project) if text.startswith("Rendering")] == ["Rendering 4 PDFs"]


async def test_a_changed_page_is_the_only_row_that_changes(project: Project) -> None:
    path = place(project, "CA:Lincoln:1901")
    typeset(path, ["one", "two", "three"])
    await run_scan(project)
    before = plain_rows(pq.read_table(project.manifests / "records.parquet"))

    typeset(path, ["one", "2", "three"])
    assert await run_scan(project) == ScanReport(records=3, added=0, removed=0, problems=0, changed=True)

    after = plain_rows(pq.read_table(project.manifests / "records.parquet"))
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False, True]


@pytest.mark.parametrize("changed", [False, True], ids=["first rendering", "of a changed PDF"])
async def test_a_scan_that_is_killed_leaves_the_old_or_nothing_and_the_next_one_heals(
    project: Project, prefect_server: PrefectServer, changed: bool
) -> None:
    folder = images(project) / "CA/Lincoln/1901"
    if changed:
        typeset(place(project, "CA:Lincoln:1901"), 3)
        await run_scan(project)
    old = {path.name: path.read_bytes() for path in folder.iterdir()} if changed else {}
    typeset(place(project, "CA:Lincoln:1901"), 150)

    async with scanning(project, prefect_server) as process, asyncio.timeout(DEADLINE_SECONDS):
        while not any(len(list(path.glob("*.jpg"))) >= 5 for path in leftovers(project)):
            assert process.returncode is None, "the scan ended before it came there"
            await asyncio.sleep(0.01)
        workers = renderers(process.pid)
        process.send_signal(signal.SIGKILL)
    assert workers
    assert ({path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}) == old
    assert leftovers(project)
    async with asyncio.timeout(DEADLINE_SECONDS):
        while any(map(is_running, workers)):  # noqa: ASYNC110 - processes of somebody else set no event
            await asyncio.sleep(0.05)

    assert (await run_scan(project)).records == 150

    assert {path.name for path in folder.iterdir()} == {SOURCE_MARKER, *(f"{page}.jpg" for page in range(1, 151))}
    assert leftovers(project) == []


async def test_the_memory_of_a_scan_and_its_workers_stays_below_a_gigabyte(
    project: Project, prefect_server: PrefectServer
) -> None:
    for year in range(1900, 1902):
        by_hand(place(project, f"CA:Bomb:{year}"), [SQUARE, content_bomb(), blanks(300), SQUARE])
    picture = stream("", b"q 600 0 0 700 0 0 cm /X0 Do Q")
    by_hand(place(project, "CA:Large:1901"), [picture, picture], [image(12_000, 12_000)])
    typeset(place(project, "CA:Huge:1901"), 2, size=(8400, 8400))
    typeset(place(project, "CA:Plain:1901"), 30)

    async with scanning(project, prefect_server) as process, asyncio.timeout(DEADLINE_SECONDS):
        with peak_memory(process.pid) as peak:
            assert await process.wait() == 0
    sys.stderr.write(f"\npeak memory of the process tree: {peak.bytes / 1e6:.0f} MB\n")
    assert 100e6 < peak.bytes < MAX_TREE_BYTES
    assert len(keys_in_manifest(project)) == 2 * 3 + 2 + 2 + 30


async def test_a_pass_that_is_cancelled_leaves_no_worker_and_no_folder(project: Project) -> None:
    typeset(place(project, "CA:Lincoln:1901"), 200)
    running = asyncio.create_task(run_scan(project))
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not any(len(list(path.glob("*.jpg"))) >= 3 for path in leftovers(project)):
            assert not running.done(), "the scan ended before it came there"
            await asyncio.sleep(0.01)
        workers = renderers(os.getpid())
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert workers
    assert renderers(os.getpid()) == []
    assert leftovers(project) == []
    assert not (images(project) / "CA/Lincoln/1901").exists()


async def test_the_settings_of_rendering_count(project: Project) -> None:
    typeset(place(project, "CA:Lincoln:1901"), 1)
    await run_scan(project)
    first = (images(project) / "CA/Lincoln/1901/1.jpg").stat().st_size
    project.configure(render={"dpi": 72, "jpeg_quality": 40, "processes": 1})
    assert load_settings(project.config).render.processes == 1
    assert (await run_scan(project)).changed
    assert (images(project) / "CA/Lincoln/1901/1.jpg").stat().st_size < first / 2
    shutil.rmtree(images(project) / "CA")
    assert (await run_scan(project)).records == 1

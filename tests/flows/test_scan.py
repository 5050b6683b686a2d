"""The scanner as a flow: what it leaves alone, what it tells, and what becomes of the manifest."""

import json
import logging
import shutil

import pyarrow.parquet as pq
import pytest

from assets.domain.errors import ConfigError, ManifestError
from assets.plain_rows import plain_rows
from assets.scan_notes import GapsOfKind
from assets.sources import IMAGE_SUFFIXES
from flows.scan import ScanReport, scan
from flows.terminal.show import status_json, status_text
from tests.flows.recorded import Recorded
from tests.project import Project

DOCUMENT = "CA:Lincoln:1901"
IMAGES = "dataset/page_images"
ENDINGS = f".{', .'.join(sorted(IMAGE_SUFFIXES))}"


async def run_scan(project: Project) -> ScanReport:
    report: ScanReport = await scan(str(project.config))
    return report


def keys_in_manifest(project: Project) -> list[str]:
    keys: list[str] = pq.read_table(project.manifests / "records.parquet")["record_key"].to_pylist()
    return keys


def left_out(project: Project) -> dict[str, str]:
    path = project.manifests / "left_out.parquet"
    rows = plain_rows(pq.read_table(path)) if path.exists() else []
    return {row["path"]: row["reason"] for row in rows if row["path"] != IMAGES}


async def warnings_of_files(project: Project) -> list[str]:
    """Without what is told of the collection as a whole."""
    told = await Recorded(project).texts("WARNING")
    return [text for text in told if not text.startswith(f"Please check: {IMAGES}: ")]


async def test_an_unchanged_tree_leaves_the_manifest_alone_to_the_byte(project: Project) -> None:
    keys = project.add_pages(DOCUMENT, ["01", 2, 10])
    path = project.manifests / "records.parquet"
    gaps = {"numbers": GapsOfKind(1, keys[2])}
    assert await run_scan(project) == ScanReport(records=3, added=3, removed=0, problems=0, changed=True, gaps=gaps)
    before, content = path.stat(), path.read_bytes()

    assert await run_scan(project) == ScanReport(records=3, added=0, removed=0, problems=0, changed=False, gaps=gaps)
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert path.read_bytes() == content

    # An image that was replaced is the same record, but not the same row.
    folder = project.root.joinpath("dataset", "page_images", *DOCUMENT.split(":"))
    (folder / "2.jpg").write_bytes((folder / "10.jpg").read_bytes() + b"\0")
    assert not project.result_path(keys[1]).exists(), "so nothing was made from the older one"
    (folder / "10.jpg").unlink()
    assert await run_scan(project) == ScanReport(records=2, added=0, removed=1, problems=0, changed=True)
    assert keys_in_manifest(project) == keys[:2]
    assert sorted(each.name for each in project.manifests.iterdir() if each.is_file()) == [
        "home.json",
        "records.parquet",
    ]
    told = [text for text in await Recorded(project).texts("INFO") if text.startswith("Record manifest")]
    assert told == [
        "Record manifest: 3 records, 3 new, 0 gone, 0 files left out",
        "Record manifest: 2 records, 0 new, 1 gone, 0 files left out",
    ], "only changes are told"


async def test_each_file_that_is_no_page_is_one_warning_and_the_rest_goes_on(project: Project) -> None:
    keys = project.add_pages(DOCUMENT, [1, 2, "02", 3])
    folder = project.root.joinpath("dataset", "page_images", *DOCUMENT.split(":"))
    (folder / "cover.jpg").write_bytes(b"x")
    (folder / "4.jpg").write_bytes(b"no image")
    (folder / "5.jpg").symlink_to("nowhere")
    (folder / "not\nes\x1b[31m.txt").write_text("")

    report = await run_scan(project)

    assert (report.records, report.problems) == (2, 6)
    assert keys_in_manifest(project) == [keys[0], keys[3]]
    place = "dataset/page_images/CA/Lincoln/1901"
    kinds = "JPEG, PNG, WebP, TIFF, JPEG 2000, GIF, BMP, HEIC or AVIF"
    assert sorted(await warnings_of_files(project)) == [
        f"Left out: {place}/02.jpg: page 2 has 2 images; keep one",
        f"Left out: {place}/2.jpg: page 2 has 2 images; keep one",
        f"Left out: {place}/4.jpg: unreadable: it does not begin like a {kinds} file",
        f"Left out: {place}/5.jpg: unreadable: No such file or directory",
        f"Left out: {place}/cover.jpg: no page: its name does not match record.page_pattern",
        f"Left out: {place}/not\\nes\\x1b[31m.txt: no page image: its name does not end in {ENDINGS}",
    ]


async def test_warnings_about_a_thousand_files_are_bounded(project: Project) -> None:
    project.add_pages(DOCUMENT, [1])
    folder = project.root.joinpath("dataset", "page_images", *DOCUMENT.split(":"))
    for number in range(230):
        (folder / f"thumb-{number}.gif").write_bytes(b"")
    assert len(left_out(project)) == 0

    assert (await run_scan(project)).problems == 230

    warnings = await Recorded(project).texts("WARNING")
    assert len(warnings) == 201
    assert warnings[-1] == "Left out: 31 more files of this kind", "and a word on their names"
    assert len(left_out(project)) == 230


async def test_the_allow_list_and_filters_decide_who_is_eligible(project: Project) -> None:
    for document in ("CA:Lincoln:1901", "CA:Lincoln:1905", "TX:Lincoln:1901", "AL:Lincoln:1902"):
        project.add_pages(document, [1, 2, 3])
    for name in ("CA/Lincoln/1901/0002.json", "CA/Lincoln/1905/1.json", "AL/Lincoln/1902/3.json", "AL/notes.json"):
        path = project.root / "allowed" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    project.configure(
        paths={"allow_list": "allowed"}, filters={"state": ["CA", "AL"], "year": {"start": 1900, "end": 1902}}
    )

    await run_scan(project)

    assert keys_in_manifest(project) == ["AL:Lincoln:1902:3", "CA:Lincoln:1901:2"]
    assert await warnings_of_files(project) == [
        "Left out: allowed/AL/notes.json: a file where folders of 2 more levels are expected"
    ]


async def test_no_line_a_page_reaches_prefect_but_at_debug(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    project.add_pages(DOCUMENT, range(1, 41))
    project.add_pages("CA:Adams:1901", [4, 5])
    await project.run_pass()
    lines = await Recorded(project).lines()
    assert len(lines) < 40
    assert not [line for line in lines if "Skipping" in line.text]

    with caplog.at_level(logging.DEBUG, logger="prefect.flow_runs"):
        await project.run_pass()
    skipped = [text for text in await Recorded(project).texts("DEBUG") if "Skipping" in text]
    assert len(skipped) == 40
    assert "Skipping page 5 (Dependency missing): CA:Adams:1901:5 waits for CA:Adams:1901:4" in skipped


async def test_a_manifest_that_cannot_be_read_stops_the_pass_in_one_line(project: Project) -> None:
    project.add_pages(DOCUMENT, [1])
    await run_scan(project)
    path = project.manifests / "records.parquet"
    path.write_bytes(path.read_bytes()[:100])

    with pytest.raises(ManifestError, match=r"records\.parquet: cannot be read .*; restore it from a backup"):
        await project.run_pass()

    assert len(path.read_bytes()) == 100, "nothing was changed"
    assert project.submissions() == []
    [run] = await Recorded(project).flow_runs("pipeline")
    assert run.state is not None
    assert run.state.is_failed()
    assert "records.parquet: cannot be read" in (run.state.message or "")


async def test_a_folder_of_images_that_is_gone_stops_the_pass_and_keeps_the_manifest(project: Project) -> None:
    project.add_pages(DOCUMENT, [1])
    await run_scan(project)
    content = (project.manifests / "records.parquet").read_bytes()
    shutil.rmtree(project.root / "dataset" / "page_images")

    with pytest.raises(ConfigError, match=r"paths\.page_images: .* does not exist"):
        await run_scan(project)

    assert (project.manifests / "records.parquet").read_bytes() == content


async def test_what_is_left_out_is_told_once_and_listed_while_it_is_there(project: Project) -> None:
    project.add_pages(DOCUMENT, [1])
    folder = project.root.joinpath("dataset", "page_images", *DOCUMENT.split(":"))
    place, path = "dataset/page_images/CA/Lincoln/1901", project.manifests / "left_out.parquet"
    for name in ("b.jpg", "a.txt", ".DS_Store", "Thumbs.db"):
        (folder / name).write_text("x")
    no_match = "no page: its name does not match record.page_pattern"
    no_image = f"no page image: its name does not end in {ENDINGS}"

    assert (await run_scan(project)).problems == 2
    before, content = path.stat(), path.read_bytes()
    assert list(left_out(project).items()) == [(f"{place}/a.txt", no_image), (f"{place}/b.jpg", no_match)]
    assert (await run_scan(project)).problems == 2
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)

    (folder / "a.txt").unlink()
    (folder / "d.jpg").write_text("x")
    assert (await run_scan(project)).problems == 2
    assert list(left_out(project)) == [f"{place}/b.jpg", f"{place}/d.jpg"]
    lines = (await status_text(str(project.config))).splitlines()
    assert "left out 2 files: manifests/left_out.parquet lists them" in lines
    assert json.loads(await status_json(str(project.config)))["left_out"] == 2
    for name in ("b.jpg", "d.jpg"):
        (folder / name).unlink()
    assert (await run_scan(project)).problems == 0
    assert left_out(project) == {}

    assert await warnings_of_files(project) == [
        f"Left out: {place}/a.txt: {no_image}",
        f"Left out: {place}/b.jpg: {no_match}",
        f"Left out: {place}/d.jpg: {no_match}",
    ]
    totals = [text for text in await Recorded(project).texts("INFO") if text.startswith("Left out")]
    assert totals == ["Left out: 2 files in all; manifests/left_out.parquet lists them"] * 2

    # What is damaged is made anew; then everything is new.
    (folder / "b.jpg").write_text("x")
    await run_scan(project)
    path.write_bytes(content[:50])
    await run_scan(project)
    assert list(left_out(project)) == [f"{place}/b.jpg"]


async def test_what_is_so_of_the_collection_as_a_whole_is_told_once(project: Project) -> None:
    project.add_pages(DOCUMENT, ["iv", 1, 2, 5])
    project.add_pages("CA:Lincoln:1902", ["cover", 7])

    reports = [await run_scan(project) for _ in range(2)]

    assert reports[0].notes == reports[1].notes
    assert [note.partition(" ")[0] for note in reports[0].notes] == ["images", "the"]
    told = [text for text in await Recorded(project).texts("WARNING") if text.startswith("Please check")]
    assert sorted(told) == sorted(f"Please check: {IMAGES}: {note}" for note in reports[0].notes)
    gaps = [text for text in await Recorded(project).texts("INFO") if text.startswith("gaps: ")]
    follows = "the page before goes along all the same (context.at_gap: follow)"
    first = f"first before {DOCUMENT}:5"
    assert gaps == [
        f"gaps: 1 where numbers are missing ({first}), 1 where another numbering does not begin with 1 (first before "
        f"{DOCUMENT}:iv); {follows}"
    ]

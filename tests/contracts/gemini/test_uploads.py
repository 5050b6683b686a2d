"""Uploads of many images: how many at once, under which names, tried again how often, and what is told of each."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from assets.domain.errors import GeminiAccessError, ImageError
from flows.gateways.gemini.client import GoogleGemini
from flows.gateways.gemini.uploads import Prepare, PreparedImage, UploadItem, UploadReport, upload_with_retries
from flows.gateways.ports import Prepared
from tests.contracts.gemini.test_gateway import PNG
from tests.emulator_server import EmulatorHandle

SUBMISSION = "01jd0000000000000000000000"


@pytest.fixture
def items(tmp_path: Path) -> list[UploadItem]:
    return make_items(tmp_path, 20)


def make_items(folder: Path, count: int) -> list[UploadItem]:
    found = []
    for n in range(count):
        path = folder / f"{n}.png"
        path.write_bytes(PNG)
        found.append(UploadItem(key=f"A:b:{n}", path=path, frame=0, mime_type="image/png", n=n))
    return found


class Pauses(list[float]):
    """A sleep that only notes how long it was."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


async def as_it_is(item: UploadItem) -> Prepared:
    size_bytes = await asyncio.to_thread(lambda: item.path.stat().st_size)
    return Prepared(item.path, item.mime_type, "0" * 64, size_bytes, 60, 80)


async def run(
    gateway: GoogleGemini,
    items: list[UploadItem],
    *,
    pauses: Pauses | None = None,
    concurrency: int = 4,
    prepare: Prepare = as_it_is,
) -> UploadReport:
    return await upload_with_retries(
        gateway,
        items,
        prepare=prepare,
        submission_id=SUBMISSION,
        attempts=3,
        backoff_seconds=2,
        concurrency=concurrency,
        sleep=Pauses() if pauses is None else pauses,
    )


async def test_each_image_goes_up_under_its_name(gateway: GoogleGemini, items: list[UploadItem]) -> None:
    report = await run(gateway, items)
    assert {key: file.display_name for key, file in report.uploaded.items()} == {
        f"A:b:{n}": f"{SUBMISSION}-{n}-1" for n in range(20)
    }
    assert (report.failed, report.refused) == ({}, {})
    assert {file.name for file in await gateway.list_files()} == {file.name for file in report.uploaded.values()}


async def test_uploads_run_at_the_concurrency_that_is_asked_for_and_no_more(
    gateway: GoogleGemini, gemini: EmulatorHandle, tmp_path: Path
) -> None:
    # Long enough for all sixteen to have come, however busy the machine is.
    gemini.add_fault("upload_chunk", delay_seconds=3, times=None)
    await run(gateway, make_items(tmp_path, 20), concurrency=16)
    assert gemini.peak_requests()["upload_chunk"] == 16


async def test_all_items_are_done_with_more_workers_than_items(gateway: GoogleGemini, items: list[UploadItem]) -> None:
    assert len((await run(gateway, items[:3], concurrency=16)).uploaded) == 3
    assert (await run(gateway, [], concurrency=16)) == UploadReport()


@pytest.mark.parametrize("call", ["upload_start", "upload_chunk"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_try_that_fails_is_followed_by_a_fresh_upload_under_a_fresh_name(
    gateway: GoogleGemini, gemini: EmulatorHandle, items: list[UploadItem], call: str, when: str
) -> None:
    gemini.add_fault(call, display_name=f"{SUBMISSION}-7-*", status=503, when=when, times=2)
    pauses = Pauses()
    report = await run(gateway, items, pauses=pauses)
    assert len(report.uploaded) == 20
    assert report.uploaded["A:b:7"].display_name == f"{SUBMISSION}-7-3"
    assert pauses == [2, 4]
    left_behind = {file.display_name for file in await gateway.list_files()} - {
        file.display_name for file in report.uploaded.values()
    }
    lost = call == "upload_chunk" and when == "after"
    assert left_behind == ({f"{SUBMISSION}-7-1", f"{SUBMISSION}-7-2"} if lost else set())


async def test_a_page_whose_tries_are_used_up_is_told_and_the_others_go_on(
    gateway: GoogleGemini, gemini: EmulatorHandle, items: list[UploadItem]
) -> None:
    gemini.add_fault("upload_start", display_name=f"{SUBMISSION}-7-*", cut="connection", times=None)
    report = await run(gateway, items)
    assert len(report.uploaded) == 19
    assert list(report.failed) == ["A:b:7"]
    assert report.failed["A:b:7"].startswith(f"upload of {SUBMISSION}-7-3: ")
    assert gemini.faults()[0]["struck"] == 3


async def test_a_refused_image_is_not_tried_again(
    gateway: GoogleGemini, gemini: EmulatorHandle, items: list[UploadItem]
) -> None:
    gemini.add_fault("upload_chunk", display_name=f"{SUBMISSION}-7-*", status=400, message="No image.", times=None)
    pauses = Pauses()
    report = await run(gateway, items, pauses=pauses)
    assert len(report.uploaded) == 19
    assert "HTTP 400, No image" in report.refused["A:b:7"]
    assert report.failed == {}
    assert pauses == []
    assert gemini.faults()[0]["struck"] == 1


async def test_an_image_that_cannot_be_read_is_left_for_the_next_pass(
    gateway: GoogleGemini, items: list[UploadItem]
) -> None:
    items[7].path.unlink()
    items[8].path.unlink()
    items[8].path.mkdir()
    report = await run(gateway, items)
    assert len(report.uploaded) == 18
    assert report.failed == {
        "A:b:7": f"{items[7].path} cannot be read: No such file or directory",
        "A:b:8": f"{items[8].path} cannot be read: Is a directory",
    }


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_what_is_the_same_for_all_stops_all(
    gateway: GoogleGemini, gemini: EmulatorHandle, tmp_path: Path, status: int
) -> None:
    gemini.add_fault("upload_start", display_name=f"{SUBMISSION}-3-1", status=status, message="Not you.")
    gemini.add_fault("upload_chunk", delay_seconds=0.5, times=None)
    with pytest.raises(GeminiAccessError, match=f"HTTP {status}, Not you"):
        await run(gateway, make_items(tmp_path, 60))
    assert gemini.requests()["upload_start"] <= 8


async def test_a_service_that_is_down_is_not_asked_for_every_page(
    gateway: GoogleGemini, gemini: EmulatorHandle, tmp_path: Path
) -> None:
    gemini.add_fault("upload_start", status=503, times=None)
    report = await run(gateway, make_items(tmp_path, 100))
    assert len(report.failed) == 100
    assert gemini.requests()["upload_start"] <= (16 + 4) * 3
    assert sum(reason.startswith("not tried: ") for reason in report.failed.values()) >= 80


async def test_what_was_made_of_an_image_goes_up_whole_with_each_try(
    gateway: GoogleGemini, gemini: EmulatorHandle, items: list[UploadItem]
) -> None:
    async def converted(item: UploadItem) -> Prepared:
        content = PNG + bytes([item.n])
        return Prepared(content, "image/png", f"{item.n:064}", len(content), 60, 80, "TIFF 60 x 80 -> PNG 60 x 80")

    gemini.add_fault("upload_chunk", display_name=f"{SUBMISSION}-7-*", status=503, when="before", times=2)
    gemini.add_fault("upload_chunk", display_name=f"{SUBMISSION}-8-*", status=400, message="No image.", times=None)

    report = await run(gateway, items, prepare=converted)

    assert report.uploaded["A:b:7"].display_name == f"{SUBMISSION}-7-3"
    assert {file.size_bytes for file in report.uploaded.values()} == {len(PNG) + 1}
    assert list(report.refused) == ["A:b:8"]
    assert report.prepared == {
        f"A:b:{n}": PreparedImage(f"{n:064}", "image/png", len(PNG) + 1, "TIFF 60 x 80 -> PNG 60 x 80", 0, 0)
        for n in range(20)
    }, "the refused one, too, and without its bytes"


async def test_an_image_that_cannot_be_decoded_is_told_and_the_others_go_on(
    gateway: GoogleGemini, items: list[UploadItem]
) -> None:
    async def prepare(item: UploadItem) -> Prepared:
        if item.n == 7:
            raise ImageError("the image is cut short or damaged")
        return replace(await as_it_is(item), mime_type="image/jpeg")

    report = await run(gateway, items, prepare=prepare)

    assert len(report.uploaded) == 19
    assert report.failed == {"A:b:7": f"{items[7].path} cannot be read: the image is cut short or damaged"}
    assert report.unreadable == {"A:b:7"}
    assert {file.mime_type for file in report.uploaded.values()} == {"image/jpeg"}

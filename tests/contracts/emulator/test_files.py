"""The File API, driven by the SDK: uploads, names, listing, expiry, refusals."""

import hashlib
import io
import random
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import pytest
from google import genai
from google.genai import errors, types

from tests.contracts.emulator.sdk import client_of, create, line, named, picture, result_file_of, upload
from tests.emulator_server import EmulatorHandle, emulator

HOURS_48_SECONDS = 48 * 3600


def test_an_uploaded_stream_is_described_in_full(client: genai.Client) -> None:
    content = picture()
    file = upload(client, content, display_name="Peñón High, 1901 — 3 ✓")

    assert file.display_name == "Peñón High, 1901 — 3 ✓"
    assert (file.mime_type, file.size_bytes) == ("image/jpeg", len(content))
    assert file.sha256_hash is not None
    assert b64decode(file.sha256_hash).decode() == hashlib.sha256(content).hexdigest()
    assert (file.state, file.source) == (types.FileState.ACTIVE, types.FileSource.UPLOADED)
    assert file.create_time is not None
    assert file.expiration_time is not None
    assert (file.expiration_time - file.create_time).total_seconds() == HOURS_48_SECONDS
    assert client.files.get(name=named(file)) == file


async def test_the_async_client_uploads_gets_lists_and_deletes(aio: genai.client.AsyncClient) -> None:
    config = types.UploadFileConfig(mime_type="image/jpeg", display_name="Ä")
    file = await aio.files.upload(file=io.BytesIO(picture()), config=config)

    assert (await aio.files.get(name=named(file))).display_name == "Ä"
    pager = await aio.files.list(config=types.ListFilesConfig(page_size=1))
    assert [found.name async for found in pager] == [file.name]
    await aio.files.delete(name=named(file))
    with pytest.raises(errors.ClientError) as caught:
        await aio.files.get(name=named(file))
    assert caught.value.code == 403


def test_more_than_two_chunks_arrive_whole(client: genai.Client, gemini: EmulatorHandle) -> None:
    content = random.Random(1).randbytes(17 * 1024 * 1024)  # noqa: S311 - repeatable bytes
    file = upload(client, content, "application/jsonl")

    assert gemini.requests()["upload_chunk"] == 3
    assert file.sha256_hash is not None
    assert b64decode(file.sha256_hash).decode() == hashlib.sha256(content).hexdigest()


async def test_the_async_client_sends_chunks_too(aio: genai.client.AsyncClient, gemini: EmulatorHandle) -> None:
    content = bytes(9 * 1024 * 1024)
    config = types.UploadFileConfig(mime_type="application/jsonl")
    file = await aio.files.upload(file=io.BytesIO(content), config=config)

    assert (file.size_bytes, gemini.requests()["upload_chunk"]) == (len(content), 2)


def test_a_path_can_be_uploaded(client: genai.Client, tmp_path: Path) -> None:
    path = tmp_path / "4.jpg"
    path.write_bytes(picture())

    assert client.files.upload(file=path).mime_type == "image/jpeg"


def test_an_empty_file_can_be_uploaded(client: genai.Client) -> None:
    assert upload(client, b"", "text/plain").name is not None


def test_own_names_follow_the_rule_of_40_characters(client: genai.Client) -> None:
    longest = "a" * 40
    assert upload(client, picture(), name=longest).name == f"files/{longest}"
    for bad in ("a" * 41, "Upper", "under_score", "-dash", "dash-"):
        with pytest.raises(errors.ClientError) as caught:
            upload(client, picture(), name=bad)
        assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT"), bad


def test_a_name_is_taken_until_it_is_deleted(client: genai.Client) -> None:
    file = upload(client, picture(), name="page-1")
    with pytest.raises(errors.ClientError) as caught:
        upload(client, picture(), name="page-1")
    assert caught.value.code == 409
    client.files.delete(name=named(file))
    assert upload(client, picture(), name="page-1").name == "files/page-1"


@pytest.mark.parametrize("name", ["files/nobody", "files/abc123abc123"])
def test_a_missing_file_answers_403(client: genai.Client, name: str) -> None:
    calls: list[Callable[[], object]] = [
        lambda: client.files.get(name=name),
        lambda: client.files.delete(name=name),
        lambda: client.files.download(file=name),
    ]
    for call in calls:
        with pytest.raises(errors.ClientError) as caught:
            call()
        assert (caught.value.code, caught.value.status) == (403, "PERMISSION_DENIED")
        assert "You do not have permission to access the File" in str(caught.value.message)


def test_the_id_of_a_result_file_is_too_long_for_get_and_delete(client: genai.Client, gemini: EmulatorHandle) -> None:
    job = create(client, [line("CA:Lincoln:2023:1")])
    gemini.advance(30)
    name = result_file_of(client, job)

    assert name == f"files/batch-{named(job).removeprefix('batches/')}"
    for call in (client.files.get, client.files.delete):
        with pytest.raises(errors.ClientError) as caught:
            call(name=name)
        assert caught.value.code == 400
    assert client.files.download(file=name).startswith(b'{"key":"CA:Lincoln:2023:1"')


def test_a_file_is_gone_after_48_hours(client: genai.Client, gemini: EmulatorHandle) -> None:
    file = upload(client, picture())
    gemini.advance(HOURS_48_SECONDS - 1)
    assert client.files.get(name=named(file)).name == file.name
    gemini.advance(1)

    with pytest.raises(errors.ClientError) as caught:
        client.files.get(name=named(file))
    assert caught.value.code == 403
    assert list(client.files.list(config=types.ListFilesConfig(page_size=10))) == []
    assert [entry["state"] for entry in gemini.books()["files"]] == ["EXPIRED"]


def test_an_upload_cannot_be_downloaded(client: genai.Client) -> None:
    file = upload(client, picture())
    with pytest.raises(errors.ClientError) as caught:
        client.files.download(file=named(file))
    assert caught.value.code == 400


@pytest.mark.parametrize("page_size", [1, 2, 3, 7, 100])
def test_every_page_size_lists_all_files_newest_first(client: genai.Client, page_size: int) -> None:
    names = [upload(client, picture(), display_name=str(number)).name for number in range(7)]

    listed = list(client.files.list(config=types.ListFilesConfig(page_size=page_size)))
    assert [file.name for file in listed] == names[::-1]


def test_a_file_deleted_between_two_pages_hides_no_other(client: genai.Client) -> None:
    names = [named(upload(client, picture())) for _ in range(6)]
    pager = client.files.list(config=types.ListFilesConfig(page_size=2))
    seen = [next(pager).name, next(pager).name]
    client.files.delete(name=names[-1])

    seen += [next(pager).name for _ in range(4)]  # not a loop: that would begin at the first page again
    assert seen == names[::-1]
    with pytest.raises(StopIteration):
        next(pager)


@pytest.mark.parametrize("mime_type", ["image/tiff", "image/gif", "image/bmp", "image/svg+xml"])
def test_image_types_that_gemini_does_not_take_are_refused(
    client: genai.Client, gemini: EmulatorHandle, mime_type: str
) -> None:
    with pytest.raises(errors.ClientError) as caught:
        upload(client, b"II*\0", mime_type)
    assert (caught.value.code, caught.value.message) == (400, f"Unsupported MIME type: {mime_type}")
    assert gemini.existing_files() == []


@pytest.mark.parametrize("mime_type", ["image/png", "image/jpeg", "image/webp", "image/heic", "application/pdf"])
def test_what_gemini_takes_is_taken(client: genai.Client, mime_type: str) -> None:
    assert upload(client, b"x", mime_type).mime_type == mime_type


def test_storage_is_limited() -> None:
    with emulator(max_storage_bytes=3_000, max_file_bytes=2_000) as handle, client_of(handle) as client:
        first = upload(client, bytes(2_000), "text/plain")
        for size, code in ((2_001, 400), (1_001, 429)):
            with pytest.raises(errors.ClientError) as caught:
                upload(client, bytes(size), "text/plain")
            assert caught.value.code == code
        client.files.delete(name=named(first))
        assert upload(client, bytes(1_001), "text/plain").size_bytes == 1_001


@pytest.mark.parametrize("version", ["v1", "v1beta"])
def test_both_api_versions_are_served(gemini: EmulatorHandle, version: str) -> None:
    with client_of(gemini, version=version) as client:
        file = upload(client, picture())
        assert client.files.get(name=named(file)).name == file.name


def test_a_key_is_asked_for_and_checked(gemini: EmulatorHandle) -> None:
    with client_of(gemini, api_key="wrong-key") as client:
        with pytest.raises(errors.ClientError) as caught:
            upload(client, picture())
        assert (caught.value.code, caught.value.message) == (400, "API key not valid. Please pass a valid API key.")

"""The books and the control plane: what tests of the product rely on when they count what was paid for."""

import asyncio
import io
from typing import Any

import httpx2
import pytest
from google import genai
from google.genai import types

from tests.contracts.emulator.sdk import (
    JOB_SECONDS,
    MODEL,
    create,
    line,
    named,
    picture,
    results,
    state_of,
    upload,
)
from tests.emulator_server import EmulatorHandle

KEY = "CA:Lincoln:2023:4"


def image_tokens(
    client: genai.Client, gemini: EmulatorHandle, size: tuple[int, int], *, model: str, resolution: str = ""
) -> int:
    generation: dict[str, Any] = {"media_resolution": resolution} if resolution else {}
    file = upload(client, picture(*size, form="PNG"), "image/png")
    create(client, [line(KEY, file, **generation)], model=model)
    gemini.advance(JOB_SECONDS)
    return int(gemini.record(KEY)["answers"][-1]["imageTokens"])


@pytest.mark.parametrize(
    ("model", "resolution", "tokens"),
    [
        ("gemini-3.5-flash", "", 1120),
        ("gemini-3.5-flash", "MEDIA_RESOLUTION_LOW", 280),
        ("gemini-3.8-flash", "MEDIA_RESOLUTION_MEDIUM", 560),
        ("gemini-3.1-pro-preview", "MEDIA_RESOLUTION_HIGH", 1120),
    ],
)
def test_gemini_3_bills_an_image_by_media_resolution(
    client: genai.Client, gemini: EmulatorHandle, model: str, resolution: str, tokens: int
) -> None:
    assert image_tokens(client, gemini, (2000, 3000), model=model, resolution=resolution) == tokens


@pytest.mark.parametrize(
    ("size", "tokens"), [((384, 384), 258), ((385, 100), 258), ((769, 100), 516), ((1536, 1537), 6 * 258)]
)
def test_older_models_bill_an_image_by_tiles(
    client: genai.Client, gemini: EmulatorHandle, size: tuple[int, int], tokens: int
) -> None:
    assert image_tokens(client, gemini, size, model="gemini-2.0-flash") == tokens


def test_what_is_billed_is_what_the_result_file_says(client: genai.Client, gemini: EmulatorHandle) -> None:
    gemini.set_rules(
        records=[
            {"key": "CA:a:1:1", "steps": [{"kind": "auto", "thoughts_tokens": 25}]},
            {"key": "CA:a:1:2", "steps": ["error"]},
            {"key": "CA:a:1:3", "steps": ["missing"]},
            {"key": "CA:a:1:4", "steps": ["repeated"]},
            {"key": "CA:a:1:5", "steps": ["blocked_prompt"]},
        ]
    )
    file = upload(client, picture())
    job = create(client, [line(f"CA:a:1:{page}", file) for page in range(1, 6)])
    gemini.advance(JOB_SECONDS)
    counts = {
        answer["key"]: answer["response"]["usageMetadata"] for answer in results(client, job) if "response" in answer
    }

    books = gemini.books()
    for key, usage in counts.items():
        record = books["records"][key]
        assert record["promptTokens"] == usage["promptTokenCount"] > 1120
        assert record["outputTokens"] == usage.get("candidatesTokenCount", 0)
        assert record["thoughtsTokens"] == usage.get("thoughtsTokenCount", 0)
        assert (record["billed"], record["answers"][0]["files"]) == (1, [file.name])
    assert [books["records"][f"CA:a:1:{page}"]["billed"] for page in (2, 3)] == [0, 0]
    assert books["billed"]["promptTokens"] == sum(usage["promptTokenCount"] for usage in counts.values())
    assert books["billed"]["thoughtsTokens"] == 25


def test_a_record_that_was_sent_twice_is_seen(client: genai.Client, gemini: EmulatorHandle) -> None:
    jobs = []
    for _ in range(2):
        jobs.append(named(create(client, [line(KEY)])))
        gemini.advance(JOB_SECONDS)
    record = gemini.record(KEY)
    assert (record["submitted"], record["answered"], record["billed"]) == (2, 2, 2)
    assert record["batches"] == jobs
    assert [answer["attempt"] for answer in record["answers"]] == [0, 1]


def test_the_books_know_every_file_and_which_are_left(client: genai.Client, gemini: EmulatorHandle) -> None:
    kept, gone = upload(client, picture(), display_name="kept"), upload(client, picture(), display_name="gone")
    client.files.delete(name=named(gone))

    books = gemini.books()
    assert {entry["displayName"]: entry["state"] for entry in books["files"]} == {"kept": "ACTIVE", "gone": "DELETED"}
    assert gemini.existing_files() == books["existing_files"] == [kept.name]


async def test_calls_and_how_many_were_open_at_once_are_counted(
    aio: genai.client.AsyncClient, gemini: EmulatorHandle
) -> None:
    gemini.add_fault("upload_start", delay_seconds=0.2, times=None)

    async def send() -> None:
        config = types.UploadFileConfig(mime_type="image/jpeg")
        await aio.files.upload(file=io.BytesIO(picture()), config=config)

    await asyncio.gather(*(send() for _ in range(5)))
    assert gemini.requests() == {"upload_start": 5, "upload_chunk": 5}
    assert gemini.peak_requests()["upload_start"] == 5


def test_reset_forgets_everything_but_the_first_rules(client: genai.Client, gemini: EmulatorHandle) -> None:
    job = create(client, [line(KEY)])
    gemini.set_steps(KEY, "error")
    gemini.add_fault("get_file", status=500)
    gemini.reset()

    books = gemini.books()
    assert [books[part] for part in ("records", "jobs", "creates", "files", "existing_files")] == [{}, [], [], [], []]
    assert gemini.faults() == []
    assert gemini.requests() == {}
    again = create(client, [line(KEY)])
    assert again.name != job.name
    gemini.advance(JOB_SECONDS)
    assert "response" in results(client, again)[0]


def test_new_rules_go_before_the_old_ones_or_replace_them(client: genai.Client, gemini: EmulatorHandle) -> None:
    gemini.set_rules(jobs=[{"end": "FAILED"}])
    gemini.set_rules(jobs=[{"display_name": "b*", "end": "EXPIRED"}], add=True)
    jobs = [create(client, [line(KEY)], display_name=name) for name in ("a", "b")]
    gemini.set_rules()
    jobs.append(create(client, [line(KEY)], display_name="b"))
    gemini.advance(JOB_SECONDS)
    assert [state_of(client, job) for job in jobs] == ["FAILED", "EXPIRED", "SUCCEEDED"]


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("clock", {"advance": -1}, "0 or more"),
        ("clock", {"advance": "x"}, "0 or more"),
        ("rules", {"records": [{"key": "a", "steps": []}]}, "records.0.steps"),
        ("rules", {"records": [{"key": "a", "steps": ["explode"]}]}, "records.0.steps.0.kind"),
        ("rules", {"record": []}, "record"),
        ("jobs/nobody", {"state": "FAILED"}, "nobody"),
        ("jobs/nobody", {"state": "DONE"}, "state is one of"),
    ],
)
def test_a_wrong_order_is_refused_with_a_reason(
    gemini: EmulatorHandle, path: str, body: dict[str, object], told: str
) -> None:
    reply = httpx2.post(f"{gemini.base_url}/emulator/{path}", json=body)
    assert reply.status_code in (400, 404)
    assert told in reply.json()["error"]["message"]


def test_the_clock_can_be_read(gemini: EmulatorHandle) -> None:
    before = gemini.now()
    assert gemini.now() == before
    gemini.advance(3600)
    assert gemini.now() > before
    clock = httpx2.get(f"{gemini.base_url}/emulator/clock").json()
    assert clock["mode"] == "manual"


def test_results_name_the_model_that_was_asked(client: genai.Client, gemini: EmulatorHandle) -> None:
    create(client, [line(KEY)])
    assert gemini.books()["jobs"][0]["model"] == MODEL

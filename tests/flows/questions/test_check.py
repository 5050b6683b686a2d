"""``quire check``: the request as it would be sent, for nothing, with neither key nor server."""

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from assets.domain.errors import QuireError
from assets.domain.schema import response_schema
from assets.requests import RequestTemplate, batch_requests
from config.schemas.page_transcript import PageTranscript
from config.settings import load_settings
from flows.questions.check import check_json, check_text
from flows.runtime.wiring import make_storage, make_template
from tests.command import run_quire
from tests.prefect_server import PrefectServer
from tests.project import Project


def sent_lines(project: Project) -> dict[str, Any]:
    """Record key -> the request of the last submission, with the paths of images for their addresses."""
    settings = load_settings(project.config)
    storage, template = make_storage(settings), make_template(settings)[1]
    table, _ = storage.read_batch_manifest(project.submissions()[-1])
    paths = dict(zip(table["record_key"].to_pylist(), table["image_path"].to_pylist(), strict=True))
    table = table.set_column(table.schema.get_field_index("file_uri"), "file_uri", table["image_path"])
    before = [paths.get(key) if key else None for key in table["context_key"].to_pylist()]
    if settings.context.mode == "previous_image":
        at = table.schema.get_field_index("context_file_uri")
        table = table.set_column(at, "context_file_uri", pa.array(before, pa.string()))
    lines = _requests(table, template, storage.results())
    return {line["key"]: line for line in lines}


def _requests(table: pa.Table, template: RequestTemplate, results: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in batch_requests(table, template=template, previous_results=results)]


async def check(project: Project, key: str | None = None) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(await check_json(str(project.config), key))
    return line


@pytest.mark.light
async def test_the_line_is_the_one_that_is_sent(project: Project) -> None:
    first, second = project.add_pages("CA:Lincoln:1901", [1, 2])
    await project.run_until_idle()

    line = await check(project, second)

    assert line == sent_lines(project)[second]
    parts = line["request"]["contents"][0]["parts"]
    assert parts[1]["file_data"] == {"file_uri": "dataset/page_images/CA/Lincoln/1901/2.jpg", "mime_type": "image/jpeg"}
    assert first in parts[0]["text"], "the result of the page before goes along"
    text = await check_text(str(project.config), second)
    assert f"previous_result: the result of {first} goes along" in text


@pytest.mark.light
async def test_the_image_of_the_page_before_goes_along(project: Project) -> None:
    project.configure(context={"mode": "previous_image"})
    first, second = project.add_pages("CA:Lincoln:1901", [1, 2])
    await project.run_pass()

    line = await check(project, second)

    assert line == sent_lines(project)[second]
    parts = line["request"]["contents"][0]["parts"]
    assert [part["file_data"]["file_uri"].rpartition("/")[2] for part in parts if "file_data" in part] == [
        "1.jpg",
        "2.jpg",
    ]
    said = await check_text(str(project.config), second)
    assert f"previous_image: the image of {first} goes along, dataset/page_images/CA/Lincoln/1901/1.jpg" in said
    assert "previous_image: no page before this one goes along" in await check_text(str(project.config), first)


@pytest.mark.light
async def test_everything_about_the_request_is_shown(project: Project) -> None:
    project.configure(model={"generation_config": {"seed": 3, "max_output_tokens": 100}})
    [key] = project.add_pages("CA:Lincoln:1901", [1])
    project.configure(execution={"dry_run": True})
    await project.run_pass()

    text = await check_text(str(project.config), None)

    summary, _, blocks = text.partition("\n\n--- prompt ---\n")
    lines = dict(line.split(maxsplit=1) for line in summary.splitlines())
    size = (project.root / "page.jpg").stat().st_size
    assert lines["record"] == f"{key} (runnable)"
    assert lines["image"] == f"dataset/page_images/CA/Lincoln/1901/1.jpg: image/jpeg, 60 x 80 pixels, {size:,} bytes"
    assert lines["model"] == "gemini-3.5-flash"
    assert lines["prompt"].startswith("page_transcript v1, hash ")
    assert lines["prompt"].endswith("config/prompts/page_transcript/v1.jinja")
    assert lines["schema"].startswith("config.schemas.page_transcript:PageTranscript, hash ")
    assert lines["context"] == "previous_result: no page before this one goes along"
    assert lines["estimate"].startswith("1,120 tokens of the image, ")
    assert "1,300 of the answer with its thinking (as the settings expect); about $0.00" in lines["estimate"]
    prompt, _, rest = blocks.partition("\n\n--- generation_config ---\n")
    assert "The page is number 1 of the scans" in prompt
    config, _, schema = rest.partition("\n\n--- responseSchema ---\n")
    assert json.loads(config) == {
        "seed": 3,
        "max_output_tokens": 100,
        "thinking_config": {"thinking_level": "LOW"},
        "response_mime_type": "application/json",
    }
    assert json.loads(schema) == response_schema(PageTranscript)


@pytest.mark.light
async def test_what_is_not_sent_and_a_model_that_ends_are_told(project: Project) -> None:
    project.configure(model={"name": "gemini-2.5-pro", "generation_config": {"temperature": 0.3}})
    project.add_pages("CA:Lincoln:1901", [1])
    project.configure(execution={"dry_run": True})
    await project.run_pass()
    text = await check_text(str(project.config), None)
    assert '"temperature": 0.3' in text, "the older model takes it"
    [line] = [line for line in text.splitlines() if "2026-12-01" in line]
    assert line.startswith("gemini-2.5-pro ")
    assert "gemini-3.8-flash answers in its place" in line

    project.configure(model={"name": "gemini-3.5-flash"})
    text = await check_text(str(project.config), None)
    assert '"temperature"' not in text
    [line] = [line for line in text.splitlines() if "temperature" in line]
    assert line.startswith("model.generation_config.temperature is not sent to gemini-3.5-flash: Google says")


@pytest.mark.light
async def test_the_first_that_can_be_sent_is_taken_or_else_the_first_of_all(project: Project) -> None:
    first, second = project.add_pages("CA:Lincoln:1901", [1, 2])
    await project.run_pass()
    assert (await check(project))["key"] == first, "nothing is runnable: the first of all"
    await project.run_until_idle()
    project.result_path(second).unlink()
    assert (await check(project))["key"] == second


@pytest.mark.light
async def test_the_estimate_goes_by_answers_and_says_where_no_price_is_known(project: Project) -> None:
    [key] = project.add_pages("CA:Lincoln:1901", [1])
    await project.run_until_idle()
    assert "(by 1 answers so far); about $" in await check_text(str(project.config), key)
    project.configure(model={"name": "gemini-9"})
    assert "no price of gemini-9 is known" in await check_text(str(project.config), key)


@pytest.mark.light
async def test_it_needs_neither_key_nor_prefect_and_leaves_no_trace(
    project: Project, prefect_server: PrefectServer, tmp_path: Path
) -> None:
    [key] = project.add_pages("CA:Lincoln:1901", [1])
    await project.run_until_idle()
    shutil.rmtree(project.manifests / "submissions")
    before = sorted(path.name for path in project.root.rglob("*"))
    nobody_there = prefect_server.environment() | {"PREFECT_API_URL": "http://127.0.0.1:9/api"}
    del nobody_there["GEMINI_API_KEY"]
    config = ["--config", str(project.config)]
    calls = project.gemini.requests()

    as_json = await run_quire("check", "--json", *config, env=nobody_there, cwd=tmp_path)
    as_text = await run_quire("check", key, *config, env=nobody_there, cwd=tmp_path)

    assert (as_json.code, as_text.code) == (0, 0), as_json.err + as_text.err
    assert as_json.out.count("\n") == 1, "one line, and nothing else"
    assert json.loads(as_json.out)["key"] == key
    assert f"record    {key} (done)" in as_text.out
    assert "what the files alone tell: Prefect does not answer" in as_text.out.splitlines()[-1]
    assert project.gemini.requests() == calls
    assert sorted(path.name for path in project.root.rglob("*")) == before


@pytest.mark.light
async def test_before_a_scan_and_for_an_unknown_page_it_says_what_to_do(project: Project) -> None:
    with pytest.raises(QuireError, match=r"records\.parquet: is missing; run quire scan first"):
        await check_text(str(project.config), None)
    project.add_pages("CA:Lincoln:1901", [1])
    project.configure(execution={"dry_run": True})
    await project.run_pass()
    with pytest.raises(QuireError, match="CA:Lincoln:1901:2 is not in the record manifest; quire why CA"):
        await check_text(str(project.config), "CA:Lincoln:1901:002")
    with pytest.raises(QuireError, match="is no record key"):
        await check_text(str(project.config), "nonsense")


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("Read {{ record.key }", r"v1\.jinja, line 1: the prompt has a mistake"),
        ("Read\n{{ record.fields.box }}", r"v1\.jinja, line 2: the prompt for CA:Lincoln:1901:1 cannot be rendered"),
    ],
)
@pytest.mark.light
async def test_a_mistake_in_the_prompt_is_one_line_with_its_place(project: Project, template: str, said: str) -> None:
    project.add_pages("CA:Lincoln:1901", [1])
    project.configure(execution={"dry_run": True})
    await project.run_pass()
    path = project.root / "prompts/own/v1.jinja"
    path.parent.mkdir(parents=True)
    path.write_text(template, encoding="utf-8")
    project.configure(paths={"prompts": "prompts"}, prompt={"name": "own"})

    with pytest.raises(QuireError, match=said) as error:
        await check_text(str(project.config), None)

    assert "\n" not in str(error.value)

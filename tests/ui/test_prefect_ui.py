"""What a person finds and does in Prefect's UI after `quire demo --keep`, by the words on the page, in a real browser.

Not part of `make test`: `make ui-test` runs it. Screenshots of each step are kept in ui-screenshots/.
"""

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Page, expect
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import VariableUpdate

from config.schemas.page_transcript import PageTranscript
from tests.browser import (
    browsing,
    installed_chromium,
    keep,
    open_artifact,
    open_editor,
    open_form,
    save_variable,
    seen,
    submit_form,
)
from tests.emulator_server import EmulatorHandle

pytestmark = pytest.mark.ui

ROOT = Path(__file__).parents[2]
DEMO_SECONDS = 600
SERVE_MILLISECONDS = 90_000
ENTRIES = 200


@dataclass(frozen=True)
class Demo:
    """A demo that has ended and left its servers. ``dead``: the record key of its dead letter."""

    folder: Path
    prefect_url: str
    gemini: EmulatorHandle
    dead: str

    @property
    def config(self) -> Path:
        return self.folder / "quire.yaml"

    def environment(self) -> dict[str, str]:
        return {**_environment(), "PREFECT_API_URL": f"{self.prefect_url}/api"}

    async def variable(self, name: str) -> object:
        async with PrefectClient(f"{self.prefect_url}/api") as client:
            found = await client.read_variable_by_name(name)
        assert found is not None, name
        return found.value

    async def tags(self, name: str) -> list[str]:
        async with PrefectClient(f"{self.prefect_url}/api") as client:
            found = await client.read_variable_by_name(name)
        assert found is not None, name
        return found.tags


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    installed_chromium()
    folder = tmp_path_factory.mktemp("demo") / "data"
    try:
        _quire(
            "demo", "--keep", "--folder", str(folder), "--documents", "2", "--pages", "2", environment=_environment()
        )
        servers = json.loads((folder / "servers.json").read_text(encoding="utf-8"))
        prefect_url, gemini = servers["prefect"]["url"], EmulatorHandle(servers["emulator"]["url"])
        environment = {**_environment(), "PREFECT_API_URL": f"{prefect_url}/api"}
        status = json.loads(_quire("status", "--json", "--config", str(folder / "quire.yaml"), environment=environment))
        [dead] = status["dead_letters"]
        yield Demo(folder, prefect_url, gemini, dead)
    finally:
        _end_servers(folder / "servers.json")


@pytest.fixture
async def page(demo: Demo) -> AsyncIterator[Page]:
    async with browsing(demo.prefect_url) as page:
        yield page


async def test_the_flow_runs_are_listed(page: Page) -> None:
    await page.goto("/runs")

    await seen(page.get_by_text("pipeline", exact=True).first)
    await seen(page.get_by_text(re.compile(r"^pipeline \d{4}-\d\d-\d\d \d\d:\d\d: \d+ settled, \d+ sent$")).first)
    await seen(page.get_by_text("Completed", exact=True).first)
    await seen(page.get_by_text("NeedsPerson", exact=True).first)
    await keep(page, "1-flow-runs")
    for trouble in ("Failed", "Crashed"):
        assert await page.get_by_text(trouble, exact=True).count() == 0


async def test_the_logs_of_a_run_tell_what_was_sent(page: Page) -> None:
    await page.goto("/runs")
    first_submit = page.locator("li, .state-list-item, .flow-run-list-item").filter(has_text=re.compile(r"^submit"))

    await first_submit.last.get_by_role("link").last.click()

    line = page.get_by_text(re.compile(r"Batch Submitted: \w{26} as batches/"))
    await seen(line)
    await line.scroll_into_view_if_needed()
    await keep(page, "2-log-of-a-run")


async def test_the_variables_are_listed(page: Page) -> None:
    await page.goto("/variables")

    for name in ("active_batch_ids", "batch_record_keys", "inflight_record_ids", "record_failure_counts"):
        await seen(page.get_by_text(name, exact=True))
    await keep(page, "3-variables")


async def test_the_report_of_a_batch_is_an_artifact(page: Page, demo: Demo) -> None:
    await page.goto("/artifacts")
    await seen(page.get_by_text(re.compile(r"Submission \w{26}: \d+ \w+")))
    await keep(page, "4-artifacts")
    await page.get_by_text("batch-report", exact=True).click()

    # The newest stands first; its links are the beginnings of ids.
    await page.get_by_role("link", name=re.compile(r"^[0-9a-f]{8}$")).first.click()

    await seen(page.get_by_text("Processed 2 records. 1 Success, 1 Failed."))
    await seen(page.get_by_role("heading", name="Dead letters: 1"))
    await seen(page.get_by_role("listitem").filter(has_text=demo.dead))
    await seen(page.get_by_role("cell", name="dead letter", exact=True))
    await keep(page, "5-report-of-a-batch")


async def test_the_status_is_an_artifact_with_pictures(page: Page, demo: Demo) -> None:
    await page.goto("/artifacts/key/status")
    await page.get_by_role("link", name=re.compile(r"^[0-9a-f]{8}$")).first.click()

    await seen(page.get_by_text("3 of 4 pages done."))
    await seen(page.get_by_role("cell", name=demo.dead))
    picture = page.get_by_role("img", name="pages read over time")
    await seen(picture)
    assert await picture.evaluate("image => image.naturalWidth") > 100, "it is shown, and not only its words"
    await keep(page, "11-status")


async def test_a_dead_letter_is_tried_again_by_filling_in_a_form(page: Page, demo: Demo) -> None:
    counted = await demo.variable("record_failure_counts")
    assert isinstance(counted, dict)
    assert demo.dead in counted
    with serving_by_hand(demo):
        await page.goto("/deployments")
        await page.get_by_role("link", name="unblock-served").click(timeout=SERVE_MILLISECONDS)
        fields = await open_form(page)
        for words in ("Only dead letters. Alone: all of them.", "Only say which pages it would be."):
            await fields.filter(has_text=words).get_by_role("switch").last.click()
        await keep(page, "12-form")
        await submit_form(page)
        await open_artifact(page, "unblock")
        await seen(page.get_by_text("1 counts reset").first)
        await keep(page, "13-what-it-did")
    assert await demo.variable("record_failure_counts") == {key: counted[key] for key in counted if key != demo.dead}


@contextlib.contextmanager
def serving_by_hand(demo: Demo) -> Iterator[None]:
    """The deployments that a person starts, served until the end of the block; nothing runs by the clock."""
    code = (
        "import sys; from pathlib import Path; from prefect import serve; "
        "from flows.deployments import DEPLOYMENTS, served; "
        "serve(*(served(each, Path(sys.argv[1])) for each in DEPLOYMENTS if not each.is_scheduled))"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(demo.config)], env=demo.environment(), cwd=ROOT)
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


async def test_a_long_variable_can_be_edited_and_the_next_pass_goes_by_it(page: Page, demo: Demo) -> None:
    counts = {f"CA:Lincoln:1901:{number}": 1 for number in range(1, ENTRIES)} | {demo.dead: 2}
    await _set_counts(demo, counts)
    demo.gemini.set_steps(demo.dead, "auto")
    sent_before = demo.gemini.record(demo.dead)["submitted"]

    value = await open_editor(page, "record_failure_counts")
    await expect(value).to_have_value(re.compile(rf'"{re.escape(demo.dead)}":2}}$'))
    await keep(page, "6-editing")
    await value.focus()
    # In its one line: the last thing before the brace is the count of the dead letter.
    for key in ("Control+End", "ArrowLeft", "Backspace", "1"):
        await page.keyboard.press(key)
    await keep(page, "7-edited")
    await save_variable(page, "record_failure_counts")
    await keep(page, "8-saved")

    edited = counts | {demo.dead: 1}
    assert await demo.variable("record_failure_counts") == edited
    assert await demo.tags("record_failure_counts") == ["quire"]
    said = await asyncio.to_thread(
        _quire, "run", "--watch", "--config", str(demo.config), environment=demo.environment()
    )
    assert "4 of 4 records are done" in said
    assert demo.gemini.record(demo.dead)["submitted"] == sent_before + 1
    *fields, number = demo.dead.split(":")
    result = demo.folder.joinpath("output_results", *fields, f"{number}.json")
    assert PageTranscript.model_validate_json(result.read_bytes()).blocks
    assert await demo.variable("record_failure_counts") == edited, "nothing else of it was touched"
    await page.goto("/artifacts")
    await page.get_by_text("batch-report", exact=True).click()
    await page.get_by_role("link", name=re.compile(r"^[0-9a-f]{8}$")).first.click()
    await seen(page.get_by_text("Processed 1 records. 1 Success, 0 Failed."))
    await keep(page, "9-report-of-the-next-pass")


async def test_with_line_breaks_a_long_variable_is_refused_and_the_page_says_why(page: Page, demo: Demo) -> None:
    """The V1 UI counts the characters as they stand there, with the blanks that its button "Format" puts in (3.8.8):
    docs/operations.md says to leave a long value in its one line."""
    counts = {f"CA:Lincoln:1901:{number}": 1 for number in range(1, ENTRIES + 1)}
    await _set_counts(demo, counts)

    value = await open_editor(page, "record_failure_counts")
    await page.get_by_role("button", name="Format").click()
    await expect(value).to_have_value(re.compile(r'\n  "CA:Lincoln:1901:200": 1\n}$'))
    await value.focus()
    for key in ("Control+End", "ArrowUp", "End", "Backspace", "2"):
        await page.keyboard.press(key)
    await expect(page.get_by_role("button", name="Save")).to_be_in_viewport(ratio=1)
    await page.get_by_role("button", name="Save").click()

    await seen(page.get_by_text("Value must be less than or equal to 5000 characters"))
    await keep(page, "10-formatted-and-refused")
    assert await demo.variable("record_failure_counts") == counts


async def _set_counts(demo: Demo, counts: dict[str, int]) -> None:
    async with PrefectClient(f"{demo.prefect_url}/api") as client:
        await client.update_variable(VariableUpdate(name="record_failure_counts", value=counts))


def _environment() -> dict[str, str]:
    """This process's environment without settings for Prefect and Quire; a demo makes its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "QUIRE_"))}
    return {**kept, "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false", "DO_NOT_TRACK": "1", "COLUMNS": "200"}


def _quire(*arguments: str, environment: dict[str, str]) -> str:
    """Run the command ``quire`` and return what it printed."""
    command = shutil.which("quire", path=str(Path(sys.executable).parent))
    assert command is not None, "quire is installed beside this Python"
    done = subprocess.run(
        [command, *arguments], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=DEMO_SECONDS
    )
    assert done.returncode == 0, f"quire {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _end_servers(record: Path) -> None:
    """End what `--keep` left, by the process ids that the demo wrote down; each leads a process group of its own."""
    with contextlib.suppress(FileNotFoundError):
        for name, server in json.loads(record.read_text(encoding="utf-8")).items():
            if name != "kept" and server["pid"]:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(server["pid"], signal.SIGTERM)

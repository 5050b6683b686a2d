"""Quire as docs/deployment.md has it run for real: Prefect's server on PostgreSQL, the deployments of prefect.yaml, two
process workers and the demo's pages. One of the workers is killed in the middle; a person steers from a browser.

Not part of `make test`: `make deploy-test` runs it, where PostgreSQL and chromium are installed. Screenshots of each
step are kept in ui-screenshots/. The tests go on from each other, in their order.
"""

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from emulator.options import EmulatorOptions
from emulator.server import running
from flows.demo.corpus import make_corpus
from flows.deployments import DEPLOYMENTS
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
from tests.deployments import Api, going, prefect, process_worker, wait_until
from tests.emulator_server import API_KEY, EmulatorHandle
from tests.postgres import running_postgres
from tests.prefect_server import PrefectServer, running_prefect_server
from tests.processes import descendants
from tests.webhook import Heard, hearing

pytestmark = pytest.mark.deploy

ROOT = Path(__file__).parents[2]
COLLECTION = "ca"
DOCUMENTS, PAGES = 4, 6
PASSES_AT_MOST = 10
SCHEDULE_SECONDS = 15
"""Instead of the 600 s of prefect.yaml, so that the test need not wait for ten minutes."""
SILENT_MINUTES = 4
"""After which a run counts as dead; they send a sign of life every 3."""
TAKEN_OVER_SECONDS = 600.0
"""A worker that is killed keeps the slot of its deployment for five minutes (Prefect's default, seen on 3.9.1)."""


@dataclass
class Site:
    """``dead``: the record key of the page that nobody can read; ``workers``: name -> its process."""

    folder: Path
    server: PrefectServer
    api: Api
    gemini: EmulatorHandle
    deployments: dict[str, dict[str, Any]]
    keys: list[str]
    workers: dict[str, Any]
    heard: Heard

    @property
    def dead(self) -> str:
        return self.keys[0]

    def runs(self, name: str) -> list[dict[str, Any]]:
        return self.api.runs_of(self.deployments[name])

    def done(self) -> list[str]:
        results = self.folder / "dataset" / "output_results"
        return [key for key in self.keys if results.joinpath(*key.split(":")).with_suffix(".json").exists()]

    def variable(self, name: str) -> Any:
        return self.api.call("GET", f"/variables/name/{COLLECTION}_{name}")["value"]

    def schedule(self, *, active: bool) -> None:
        pipeline = self.deployments["pipeline"]
        (schedule,) = pipeline["schedules"]
        often = {"interval": SCHEDULE_SECONDS, "timezone": "UTC"}
        self.api.call(
            "PATCH", f"/deployments/{pipeline['id']}/schedules/{schedule['id']}", {"schedule": often, "active": active}
        )

    def told(self) -> str:
        """What to read when something did not come about."""
        runs = [f"{run['name']}: {run['state_name']}" for run in self.runs("pipeline")]
        logs = [path.read_text(errors="replace")[-3000:] for path in sorted(self.folder.glob("*.log"))]
        return "\n".join([f"{len(self.done())} of {len(self.keys)} done", *runs, *logs])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    installed_chromium()
    folder = tmp_path_factory.mktemp("site")
    corpus = make_corpus(folder / "dataset" / "page_images", seed=1, document_count=DOCUMENTS, pages_per_document=PAGES)
    config = folder / "quire.yaml"
    settings = {
        "collection": COLLECTION,
        "context": {"mode": "none"},
        "execution": {"batch_size_limit": 4},
        "alerts": {"send_to": ["webhook/alarms"], "silent_minutes": SILENT_MINUTES},
    }
    config.write_text(json.dumps(settings), encoding="utf-8")
    with ExitStack() as stack:
        database = stack.enter_context(running_postgres())
        home = tmp_path_factory.mktemp("prefect")
        server = stack.enter_context(running_prefect_server(home, database_url=database))
        api = stack.enter_context(contextlib.closing(Api(server.api_url)))
        for command in (
            ["work-pool", "create", "quire-process", "--type", "process"],
            ["work-pool", "create", "quire-docker", "--type", "docker"],
            ["--no-prompt", "deploy", "--all"],
        ):
            prefect(server.environment(), ROOT, *command)
        gemini = EmulatorHandle(stack.enter_context(running(EmulatorOptions(job_seconds=(1.0, 2.0)))))
        environment = {
            **server.environment(),
            "QUIRE_CONFIG": str(config),
            "QUIRE__GEMINI__BASE_URL": gemini.base_url,
            "GEMINI_API_KEY": API_KEY,
        }
        workers = {name: stack.enter_context(process_worker(environment, folder, name)) for name in ("first", "second")}
        deployments = {item["name"]: item for item in api.call("POST", "/deployments/filter", {})}
        yield Site(
            folder, server, api, gemini, deployments, list(corpus.pages), workers, stack.enter_context(hearing())
        )


@pytest.fixture
async def page(site: Site) -> AsyncIterator[Page]:
    async with browsing(site.server.ui_url) as page:
        yield page


async def test_alarms_are_made_from_a_form(site: Site, page: Page) -> None:
    code = f"from prefect.blocks.webhook import Webhook; Webhook(url={site.heard.url!r}).save('alarms')"
    python = [sys.executable, "-c", code]
    await asyncio.to_thread(subprocess.run, python, env=site.server.environment(), cwd=site.folder, check=True)
    await page.goto("/blocks")
    await seen(page.get_by_text("alarms", exact=True).first)
    await keep(page, "deploy-0-block")
    await page.goto(f"/deployments/deployment/{site.deployments['automations']['id']}")
    fields = await open_form(page)
    switch = fields.filter(has_text="Only say what would be made")
    await seen(switch)
    await switch.get_by_role("switch").last.click()
    await submit_form(page)
    await _ended(site, "automations")
    await page.goto("/automations")
    await seen(page.get_by_text(re.compile("has failed or crashed")).first)
    await keep(page, "deploy-0-automations")


def test_a_worker_that_is_killed_in_the_middle_is_taken_over_and_nothing_is_paid_for_twice(site: Site) -> None:
    site.gemini.set_steps(site.dead, "blocked_prompt")
    slow = site.gemini.add_fault("create_batch", delay_seconds=20, times=1)
    # By a person, as of a run that the clock planned less than five minutes ago Prefect's automations hear late
    # (docs/operations.md); the clock goes on with what is left.
    _start_pass(site)
    wait_until(lambda: site.gemini.requests().get("create_batch", 0) > 0, site.told)
    site.schedule(active=True)
    [name] = [name for name, worker in site.workers.items() if descendants(worker.pid)]
    for process in (site.workers[name].pid, *descendants(site.workers[name].pid)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    assert slow

    def is_over() -> bool:
        # It is tried once more, and then given up.
        return len(site.done()) == len(site.keys) - 1 and site.variable("record_failure_counts").get(site.dead, 0) > 1

    wait_until(is_over, site.told, seconds=TAKEN_OVER_SECONDS)
    site.schedule(active=False)
    wait_until(lambda: not going(_others(site)), site.told)

    books = site.gemini.books()["records"]
    assert {key: books[key]["billed"] for key in site.keys if key != site.dead} == dict.fromkeys(site.keys[1:], 1)
    ended = {run["state_name"] for run in site.runs("pipeline") if run["state_name"] != "Scheduled"}
    assert "NeedsPerson" in ended, "a page is dead"
    assert ended <= {"NeedsPerson", "Completed", "Cancelled", "Running", "Crashed"}, ended


def _others(site: Site) -> list[dict[str, Any]]:
    """The runs but for the one that died with its worker, which Prefect shows as Running."""
    return [run for run in site.runs("pipeline") if not _is_dead(run)]


def _is_dead(run: dict[str, Any]) -> bool:
    pid = str(run.get("infrastructure_pid") or "").rpartition(":")[2]
    return pid.isdigit() and not Path(f"/proc/{pid}").exists()


async def test_the_dead_letter_was_told_and_the_dead_run_is_marked(site: Site) -> None:
    def is_so() -> bool:
        rung = "person" in {each["alarm"] for each in site.heard.posted}
        return rung and "Crashed" in {run["state_name"] for run in site.runs("pipeline")}

    await asyncio.to_thread(wait_until, is_so, lambda: f"{site.heard.posted}\n{site.told()}")
    told = [each for each in site.heard.posted if each["alarm"] == "person"]
    assert all(each["text"].startswith(f"Collection {COLLECTION}: waits for a person: 1 dead letter") for each in told)


async def test_the_dead_run_was_told(site: Site) -> None:
    await site.heard.until(lambda posted: any(_names_the_dead(each) for each in posted))


def _names_the_dead(told: dict[str, Any]) -> bool:
    return told["alarm"] == "failed" and "has ended as Crashed" in told["text"]


async def test_runs_and_status_are_seen(site: Site, page: Page) -> None:
    await page.goto("/runs")
    await seen(page.get_by_text("NeedsPerson", exact=True).first)
    await keep(page, "deploy-1-runs")
    await open_artifact(page, f"{COLLECTION}-status")
    await seen(page.get_by_text("23 of 24 pages done."))
    await seen(page.get_by_role("cell", name=site.dead).first)
    await keep(page, "deploy-2-status")


@dataclass(frozen=True)
class Form:
    """``fields``: words of a field's description -> what is typed, or True for a switch; ``says``: a part of what its
    artifact says."""

    deployment: str
    fields: dict[str, str | bool]
    says: str


def forms(site: Site) -> list[Form]:
    return [
        Form("estimate", {}, "24"),
        Form("verify", {}, "23"),
        Form("full-scan", {}, "24 pages"),
        Form("assets", {}, "record_manifest"),
        Form("rerun", {"Record keys (CA": site.keys[1]}, "1"),
        Form("recover", {}, "failure counts"),
        Form("reset-breaker", {}, "the breaker was not open"),
        Form("backup", {"The folder that gets the backup": str(site.folder / "backups")}, "backups"),
        Form("release", {"A batch id": "batches/none"}, "no such batch is active"),
        Form("unblock", {"Only dead letters": True, "Only say which pages it would be": True}, "1 counts reset"),
    ]


async def test_every_deployment_for_a_person_is_run_from_its_form(site: Site, page: Page) -> None:
    site.gemini.set_steps(site.dead, "auto")
    asked = forms(site)
    by_hand = {item.name for item in DEPLOYMENTS if not item.is_scheduled}
    assert {form.deployment for form in asked} | {"automations"} == by_hand
    for form in asked:
        await page.goto(f"/deployments/deployment/{site.deployments[form.deployment]['id']}")
        fields = await open_form(page)
        for words, value in form.fields.items():
            field = fields.filter(has_text=words)
            if value is True:
                await field.get_by_role("switch").last.click()
            else:
                await _type(field, str(value))
        await keep(page, f"deploy-form-{form.deployment}")
        await submit_form(page)
        await _ended(site, form.deployment)
        if form.deployment != "release":
            await open_artifact(page, f"{COLLECTION}-{form.deployment}")
            await seen(page.get_by_text(re.compile(re.escape(form.says))).first)
            await keep(page, f"deploy-did-{form.deployment}")
    assert site.variable("record_failure_counts") == {}
    assert len(list((site.folder / "backups").iterdir())) == 1


async def _type(field: Any, text: str) -> None:
    """Into a text field, or as one item of a list."""
    await seen(field)
    add = field.get_by_role("button", name="Add item")
    if await add.count():
        await add.first.click()
    await field.locator("input, textarea").last.fill(text)


async def _ended(site: Site, deployment: str) -> None:
    await asyncio.to_thread(
        wait_until,
        lambda: bool(site.runs(deployment)) and not going(site.runs(deployment)) and _has_ended(site, deployment),
        site.told,
    )


def _has_ended(site: Site, deployment: str) -> bool:
    return all(run["state_type"] not in ("SCHEDULED", "PENDING", "RUNNING") for run in site.runs(deployment))


async def test_a_variable_is_edited_and_the_next_pass_goes_by_it(site: Site, page: Page) -> None:
    """The dead letter was unblocked; a count of 9 makes another page one."""
    value = await open_editor(page, f"{COLLECTION}_record_failure_counts")
    await value.fill(json.dumps({site.dead: 9}))
    await keep(page, "deploy-3-edited")
    await save_variable(page, f"{COLLECTION}_record_failure_counts")
    assert site.variable("record_failure_counts") == {site.dead: 9}

    before = site.gemini.record(site.dead)["submitted"]
    await _one_pass(site)
    assert site.gemini.record(site.dead)["submitted"] == before, "a dead letter is not sent"

    value = await open_editor(page, f"{COLLECTION}_record_failure_counts")
    await value.fill("{}")
    await save_variable(page, f"{COLLECTION}_record_failure_counts")
    for _ in range(PASSES_AT_MOST):
        await _one_pass(site)
        if site.done() == site.keys:
            break
    assert site.done() == site.keys
    await open_artifact(page, f"{COLLECTION}-status")
    await seen(page.get_by_text("24 of 24 pages done."))
    await keep(page, "deploy-4-all-done")


async def _one_pass(site: Site) -> None:
    run = _start_pass(site)

    def is_over() -> bool:
        return bool(site.api.call("GET", f"/flow_runs/{run}")["state_type"] == "COMPLETED")

    await asyncio.to_thread(wait_until, is_over, site.told)


def _start_pass(site: Site) -> str:
    """As the button Quick run does; the id of the run."""
    made = site.api.call(
        "POST",
        f"/deployments/{site.deployments['pipeline']['id']}/create_flow_run",
        {"state": {"type": "SCHEDULED"}},
    )
    return str(made["id"])

"""The table of alarms: what is switched off is not made, runs are known by their names, and the docs have all of it."""

import fnmatch
import re
from pathlib import Path
from typing import Any

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from assets.alarms import EVENTS
from config.settings import Settings
from flows.alarms.rules import rules
from flows.gateways.prefect.automations import Rule

PAGE = (Path(__file__).parents[3] / "docs/operations.md").read_text(encoding="utf-8")
NEWS = {"quire.batch.settled", "quire.batch.failed", "quire.page.dead"}


def made(collection: str = "ca", **alerts: Any) -> dict[str, Rule]:
    return {each.key: each for each in rules(Settings.model_validate({"collection": collection, "alerts": alerts}))}


def in_the_docs(name: str) -> list[str]:
    part = PAGE.partition(f"<!-- the {name} -->")[2].partition(f"<!-- end of the {name} -->")[0]
    return re.findall(r"^\| `([\w.-]+)` \|", part, re.MULTILINE)


def test_the_docs_have_each_alarm_and_each_event() -> None:
    assert sorted(in_the_docs("alarms")) == sorted(made())
    assert sorted(in_the_docs("events")) == sorted(NEWS | set(EVENTS.values()))


@pytest.mark.parametrize(
    ("setting", "alarm"),
    [
        ("blocked_pages", "blocked"),
        ("stall_hours", "stalled"),
        ("overdue_hours", "overdue"),
        ("no_pass_hours", "no-pass"),
        ("silent_minutes", "silent"),
        ("pass_hours", "hangs"),
    ],
)
def test_what_is_null_is_not_made(setting: str, alarm: str) -> None:
    assert set(made()) - set(made("ca", **{setting: None})) == {alarm}


def test_a_person_need_not_be_told() -> None:
    assert set(made()) - set(made(needs_person=False)) == {"person"}


@pytest.mark.parametrize(
    ("collection", "run", "is_its"),
    [
        ("ca", "pipeline ca 2026-11-26 10:20", True),
        ("ca", "pipeline ca 2026-11-26 10:20: 3 settled, 2 sent", True),
        ("ca", "prune ca 2026-11-26 10:20", True),
        ("ca", "pipeline ca-2 2026-11-26 10:20", False),
        ("ca", "pipeline 2026-11-26 10:20", False),
        ("ca", "scan ca", False),
        ("", "pipeline 2026-11-26 10:20", True),
        ("", "pipeline ca 2026-11-26 10:20", False),
    ],
)
def test_a_run_is_known_by_its_name(collection: str, run: str, is_its: bool) -> None:
    """As Prefect's server matches labels (3.9.1, ``prefect/server/events/schemas/events.py``)."""
    patterns = made(collection)["failed"].match["prefect.resource.name"]
    assert any(fnmatch.fnmatchcase(run, each) for each in patterns) is is_its


def test_what_a_run_ended_with_calls_nobody_in_a_chat() -> None:
    resource = {
        "prefect.resource.name": "pipeline ca 2026-11-26 10:20",
        "prefect.state-name": "Failed",
        "prefect.state-message": "<!channel> @everyone " + "x" * 1000,
    }
    template = ImmutableSandboxedEnvironment().from_string(f"{{{{ {made()['failed'].message} }}}}")
    said = template.render(event={"resource": resource})
    assert said.startswith("The run pipeline ca 2026-11-26 10:20 has ended as Failed: (!channel) (at)everyone xxx")
    assert len(said) < 400

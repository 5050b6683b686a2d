"""The figures of a year in docs/deployment.md follow from those of a pass, with what Prefect, Quire and the deployments
say about how often a pass runs and how long what it leaves is kept. The figures of a pass are measured by
benchmarks/database.py.
"""

import contextlib
import re
import shlex
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from prefect.settings.models.server.events import ServerEventsSettings
from prefect.settings.models.server.services import ServerServicesDBVacuumSettings

from config.sections import SafetySection
from flows.deployments import DEPLOYMENTS

PAGE = (Path(__file__).parents[2] / "docs/deployment.md").read_text(encoding="utf-8")
KINDS = 3
MONTH_DAYS = 31


def row(label: str) -> list[float]:
    """The figures of the one line of a table that begins with ``label``; of "8.0, 3.9" the last."""
    [found] = re.findall(rf"^\| {re.escape(label)} \|(.*)\|$", PAGE, re.MULTILINE)
    cells = [float(cell.replace(",", "").split()[-1]) for cell in found.replace(", ", " ").split("|")]
    assert len(cells) == KINDS
    return cells


def test_the_rows_of_a_pass_add_up() -> None:
    parts = [row(name) for name in ("events", "runs", "logs", "artifacts", "the rest")]
    for kind, together in enumerate(row("together")):
        assert sum(part[kind] for part in parts) == pytest.approx(together, abs=0.3)


@pytest.mark.parametrize("label", ["old events removed", "and old runs, monthly", "and old runs, hourly"])
def test_a_year_follows_from_a_pass(label: str) -> None:
    [interval] = {item.interval_seconds for item in DEPLOYMENTS if item.name == "pipeline"}
    assert interval is not None
    passes_a_day = 86_400 / interval
    keep = SafetySection.model_fields["keep_run_days"].default
    hourly = ServerServicesDBVacuumSettings.model_fields["retention_period"].default.days
    run_days = {"old events removed": 365, "and old runs, monthly": keep + MONTH_DAYS, "and old runs, hourly": hourly}
    event_days = ServerEventsSettings.model_fields["retention_period"].default.days
    for events, together, year in zip(row("events"), row("together"), row(label), strict=True):
        kilobytes = passes_a_day * (events * event_days + (together - events) * run_days[label])
        assert year == pytest.approx(kilobytes / 1e3, rel=0.03, abs=1)


def test_the_command_of_the_page_gives_the_space_back(tmp_path: Path) -> None:
    file = tmp_path / "server/prefect/prefect.db"
    file.parent.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE runs (log TEXT)")
        database.execute("INSERT INTO runs VALUES (?)", ["x" * 1_000_000])
        database.execute("DELETE FROM runs")
        database.commit()
    before = file.stat().st_size
    [command] = re.findall(r"^    python (-c \"import sqlite3.*\")", PAGE, re.MULTILINE)
    subprocess.run([sys.executable, *shlex.split(command)], cwd=tmp_path, check=True)
    assert file.stat().st_size < before / 10

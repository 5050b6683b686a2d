"""What can be run by itself: the one table of deployments, and ``serve_all``, which runs them without a worker.

``prefect.yaml`` says the same for workers, and a test compares the two. What the flows do is in their own modules.
"""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from prefect import Flow, serve
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.deployments.runner import RunnerDeployment
from prefect.schedules import Cron, Interval, Schedule
from prefect.types.entrypoint import EntrypointType

from config.settings import load_settings
from flows.runtime.wiring import tags_of

TIMEZONE = "UTC"
GRACE_PERIOD_SECONDS = 60
"""How long a run may take to start before its slot is given away; Prefect's least."""
TAG = "quire"


@dataclass(frozen=True, slots=True)
class Deployment:
    """One flow, and when it runs: by ``interval_seconds`` or ``cron`` (in UTC); with neither, when a person says so.

    ``name``: of the deployment; ``flow``: the module and the function, ``pipeline.pipeline``; ``what``: it does;
    ``page``, ``heading``: where the docs tell more; ``parameters``: those that are not as the flow has them, beside
    ``config``.
    """

    name: str
    flow: str
    what: str
    page: str
    heading: str
    interval_seconds: int | None = None
    cron: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def description(self) -> str:
        """What Prefect shows of it."""
        return f'{self.what} See "{self.heading}" in {self.page}.'

    @property
    def entrypoint(self) -> str:
        """As a module: an entrypoint that is a file would put ``flows/`` itself on the import path."""
        return f"flows.{self.flow}"

    @property
    def is_scheduled(self) -> bool:
        return self.interval_seconds is not None or self.cron is not None

    @property
    def schedule_slug(self) -> str:
        """The schedule's name, by which a new deploy finds the old one."""
        return "often" if self.interval_seconds is not None else "monthly"


DEPLOYMENTS: Sequence[Deployment] = (
    Deployment(
        "pipeline",
        "pipeline.pipeline",
        "One pass: settle what has finished, scan, submit what can be sent.",
        "docs/operations.md",
        "A. What is going on",
        interval_seconds=600,
    ),
    Deployment(
        "scan",
        "scan.scan",
        "Refresh the record manifest from the page images, each of which is asked for; sends nothing.",
        "docs/operations.md",
        "A. What is going on",
        cron="0 2 1 * *",
        parameters={"full": True},
    ),
    Deployment(
        "prune",
        "prune.prune",
        "Remove the failure counts of pages that are done, and old runs from Prefect.",
        "docs/operations.md",
        "How to read the Variables",
        cron="0 3 1 * *",
    ),
    Deployment(
        "rerun",
        "steering.rerun",
        "By hand: have pages read again. Shows first what it would do.",
        "docs/operations.md",
        "B. Have a page read again",
    ),
    Deployment(
        "unblock",
        "steering.unblock",
        "By hand: have dead letters and held pages tried again.",
        "docs/operations.md",
        "C. Try a dead letter again",
    ),
    Deployment(
        "release",
        "steering.release",
        "By hand: let go of a batch that is stuck.",
        "docs/operations.md",
        "D. Let go of a stuck batch",
    ),
    Deployment(
        "reset-breaker",
        "steering.reset_breaker",
        "By hand: send again after too much failed.",
        "docs/operations.md",
        "When nothing is sent any more: the breaker",
    ),
    Deployment(
        "recover",
        "steering.recover",
        "By hand: make the Variables again. Shows first what it would write.",
        "docs/operations.md",
        "A folder or a database was exchanged",
    ),
    Deployment(
        "estimate",
        "steering.estimate",
        "By hand: what is left, in pages, tokens and dollars.",
        "docs/costs.md",
        "Before: `quire try` and `quire estimate`",
    ),
    Deployment(
        "assets",
        "steering.assets",
        "By hand: the graph of assets; of one document what is fresh or missing.",
        "docs/operations.md",
        "The assets",
    ),
    Deployment(
        "verify",
        "steering.verify",
        "By hand: read and check every result.",
        "docs/operations.md",
        "Results that you edit",
    ),
    Deployment(
        "backup",
        "steering.backup",
        "By hand: keep manifests and Variables of one moment.",
        "docs/operations.md",
        "Backup",
    ),
    Deployment(
        "automations",
        "steering.automations",
        "By hand: make the alarms in Prefect, or remove them. Shows first what it would do.",
        "docs/operations.md",
        "Alarms",
    ),
    Deployment(
        "full-scan",
        "scan.scan",
        "By hand: a scan that asks for every image file.",
        "docs/operations.md",
        "A. What is going on",
        parameters={"full": True},
    ),
)


def serve_all(config: Path | None = None) -> None:
    """Register every deployment as ``{name}-served`` and run them in subprocesses until interrupted.

    On the way out their schedules are paused. ``config``: the configuration file that each run gets; None leaves it to
    the default. Needs a Prefect server; blocks, so it is not for use inside an event loop.
    """
    serve(*(served(deployment, config) for deployment in DEPLOYMENTS), limit=len(DEPLOYMENTS))


def would_serve_text() -> str:
    """What `serve_all` would register, a line each."""
    lines = [f"{each.name}-served: {_when(each)}: {each.what}" for each in DEPLOYMENTS]
    return "\n".join([*lines, "nothing is done"])


def _when(deployment: Deployment) -> str:
    if deployment.interval_seconds is not None:
        return f"every {deployment.interval_seconds // 60} minutes"
    return f"by the clock, {deployment.cron} {TIMEZONE}" if deployment.cron is not None else "when a person says so"


def served(deployment: Deployment, config: Path | None) -> RunnerDeployment:
    """The deployment for a runner in this machine's process, as prefect.yaml has it, with tags for collection and model
    besides. Raises ConfigError."""
    module, _, function = deployment.entrypoint.rpartition(".")
    flow: Flow[..., Any] = getattr(importlib.import_module(module), function)
    # A scheduled run that is still going keeps the next one out. What a person starts, nobody cancels quietly.
    limit = ConcurrencyLimitConfig(
        limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW, grace_period_seconds=GRACE_PERIOD_SECONDS
    )
    made = flow.to_deployment(
        name=f"{deployment.name}-served",
        description=deployment.description,
        schedules=[_schedule(deployment)] if deployment.is_scheduled else [],
        parameters={"config": str(config.absolute()) if config else None, **deployment.parameters},
        concurrency_limit=limit if deployment.is_scheduled else None,
        tags=tags_of(load_settings(config)),
        version=version("quire"),
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    assert isinstance(made, RunnerDeployment)  # noqa: S101  a coroutine only inside an event loop
    return made


def _schedule(deployment: Deployment) -> Schedule:
    if deployment.interval_seconds is not None:
        return Interval(deployment.interval_seconds, timezone=TIMEZONE, slug=deployment.schedule_slug)
    return Cron(str(deployment.cron), timezone=TIMEZONE, slug=deployment.schedule_slug)

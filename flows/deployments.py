"""When the flows run by themselves: the one table of deployments, and ``serve_all``, which runs them without a worker.

``prefect.yaml`` says the same for workers, and a test compares the two. What the flows do is in their own modules.
"""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import Flow, serve
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.deployments.runner import RunnerDeployment
from prefect.schedules import Cron, Interval
from prefect.types.entrypoint import EntrypointType

TIMEZONE = "UTC"
GRACE_PERIOD_SECONDS = 60
"""How long a run may take to start before its slot is given away; Prefect's least."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """One flow and its schedule: either ``interval_seconds`` or ``cron`` (in UTC) is set.

    ``flow``: the name of the flow, and of the module and the function that it is.
    """

    flow: str
    description: str
    interval_seconds: int | None = None
    cron: str | None = None

    @property
    def entrypoint(self) -> str:
        """As a module: an entrypoint that is a file would put ``flows/`` itself on the import path."""
        return f"flows.{self.flow}.{self.flow}"

    @property
    def schedule_slug(self) -> str:
        """The schedule's name, by which a new deploy finds the old one."""
        return "often" if self.interval_seconds is not None else "monthly"


DEPLOYMENTS: Sequence[Deployment] = (
    Deployment("pipeline", "One pass: settle what has finished, scan, submit what can be sent.", interval_seconds=600),
    Deployment("scan", "Refresh the record manifest from the page images; sends nothing.", cron="0 2 1 * *"),
    Deployment("prune", "Remove the failure counts of records that are done.", cron="0 3 1 * *"),
)


def serve_all(config: Path | None = None) -> None:
    """Register every deployment as ``{flow}-served`` and run them in subprocesses until interrupted.

    On the way out their schedules are paused. ``config``: the configuration file that each run gets; None leaves it to
    the default. Needs a Prefect server; blocks, so it is not for use inside an event loop.
    """
    serve(*(served(deployment, config) for deployment in DEPLOYMENTS), limit=len(DEPLOYMENTS))


def served(deployment: Deployment, config: Path | None) -> RunnerDeployment:
    """The deployment for a runner in this machine's process, with the concurrency limit that prefect.yaml gives it."""
    flow: Flow[..., Any] = getattr(importlib.import_module(f"flows.{deployment.flow}"), deployment.flow)
    if deployment.interval_seconds is not None:
        schedule = Interval(deployment.interval_seconds, timezone=TIMEZONE, slug=deployment.schedule_slug)
    else:
        schedule = Cron(str(deployment.cron), timezone=TIMEZONE, slug=deployment.schedule_slug)
    made = flow.to_deployment(
        name=f"{deployment.flow}-served",
        description=deployment.description,
        schedules=[schedule],
        parameters={"config": str(config.absolute()) if config else None},
        concurrency_limit=ConcurrencyLimitConfig(
            limit=1,
            collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW,
            grace_period_seconds=GRACE_PERIOD_SECONDS,
        ),
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    assert isinstance(made, RunnerDeployment)  # noqa: S101  a coroutine only inside an event loop
    return made

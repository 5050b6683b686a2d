"""The commands that run passes or a part of one. What they do is imported when one runs: Prefect takes seconds."""

import os
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from config.loading import PREFIX
from flows.commands.options import BUSY, Config
from flows.setup.trial import LIMIT_VARIABLE, Places, banner, enter_trial, places_of
from flows.setup.up import servers_up
from flows.terminal.running import (
    config_text,
    nothing_more,
    run_to_end,
    say,
    tell_prefect_the_rest,
    wait_for,
    when_ready,
)

if TYPE_CHECKING:
    from flows.pipeline import PassReport

DRY_RUN_VARIABLE = f"{PREFIX}EXECUTION__DRY_RUN"


def run(
    context: typer.Context,
    config: Config = None,
    watch: Annotated[bool, typer.Option("--watch", help="Repeat until nothing is runnable or in flight.")] = False,
    accept_vanished: Annotated[
        bool, typer.Option("--accept-vanished", help="Go on although many finished records have no result any more.")
    ] = False,
    trial: Annotated[
        bool,
        typer.Option("--trial", help="A whole first run on a local Gemini, for nothing, apart from all that is real."),
    ] = False,
    limit: Annotated[int | None, typer.Option(min=0, help="The most pages that this run sends.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be sent.")] = False,
) -> None:
    """One pass: settle what has finished, scan, send what can be sent. Status 3 if something waits for a person."""
    last: list[PassReport] = []
    # As variables, which beat the file, and before anything reads the settings.
    if limit is not None:
        os.environ[LIMIT_VARIABLE] = str(limit)
    if dry_run:
        os.environ[DRY_RUN_VARIABLE] = "true"

    async def run_it(config: str | None) -> str:
        from flows.terminal.watch import run_once, run_watch

        async def remember(report: "PassReport") -> None:
            last[:] = [report]

        repeat = run_watch if watch or trial else run_once
        return await repeat(config, accept_vanished=accept_vanished, after_pass=remember)

    if trial and context.obj is None:
        context.obj = places = places_of(config, os.environ)
        say(run_to_end(_alone_on_trial(places, run_it, config)))
    else:
        say(wait_for(run_it, config, service=True))
    if isinstance(places := context.obj, Places):
        say(banner(places))
    elif last:
        from flows.terminal.show import place_in_prefect

        say(place_in_prefect(config_text(config)))
    if last and last[0].exit_status:
        raise typer.Exit(last[0].exit_status)


async def _alone_on_trial(
    places: Places, command: Callable[[str | None], Coroutine[Any, Any, str]], config: Path | None
) -> str:
    """The command with servers of its own, which end with it."""
    say(f"starting Prefect's server and the local Gemini, in {places.trial.path}")
    async with servers_up(places.trial, os.environ, trial=True) as servers:
        enter_trial(places, servers.urls, os.environ)
        typer.echo(banner(places), err=True)
        try:
            return await when_ready(command, config)
        finally:
            await tell_prefect_the_rest()


def scan(
    config: Config = None,
    full: Annotated[
        bool, typer.Option("--full", help="Open every image anew, also those that look as they did.")
    ] = False,
) -> None:
    """Refresh the record manifest from the tree of page images."""
    from flows.terminal.show import scan_text

    say(wait_for(partial(scan_text, full=full), config))


def submit(config: Config = None) -> None:
    """Send what can be sent, without polling first."""
    from flows.submit import submit as submit_flow

    report = wait_for(submit_flow, config, service=True)
    if report is None:
        say(BUSY)
    else:
        say(
            f"{report.submitted} batches, {report.sent} records sent"
            + (f"; {report.stopped}" if report.stopped else "")
        )


def poll(config: Config = None) -> None:
    """Settle what has finished."""
    from flows.poll import poll as poll_flow

    report = wait_for(poll_flow, config, service=True)
    if report is None:
        say(BUSY)
    else:
        kinds = ", ".join(f"{count} {kind}" for kind, count in report.outcomes.items()) or "no outcomes"
        say(f"{report.settled} batches settled ({kinds}), {report.running} running")
        for name, cause in report.stuck.items():
            say(f"{name} cannot be settled: {cause}")
        if report.stuck:
            from flows.pipeline import NEEDS_PERSON_STATUS

            raise typer.Exit(NEEDS_PERSON_STATUS)


def prune(config: Config = None) -> None:
    """Take the failure counts of records that are done out of the Variables."""
    from flows.prune import prune as prune_flow

    removed = wait_for(prune_flow, config)
    say(BUSY if removed is None else f"{removed} counts removed")


def serve(config: Config = None) -> None:
    """Run all deployments in this process, on their schedules, without a worker."""
    from flows.deployments import serve_all
    from flows.gateways.prefect.api import engine_errors_told

    wait_for(nothing_more, config)
    with engine_errors_told():  # the runs' processes inherit the setting
        serve_all(config)

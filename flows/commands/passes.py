"""The commands that run passes or a part of one. What they do is imported when one runs: Prefect takes seconds."""

import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from config.loading import PREFIX
from flows.commands.options import BUSY, AsJson, Config, DryRun, Quiet, Verbose
from flows.runtime.printable import printable
from flows.setup.trial import LIMIT_VARIABLE, Places, banner, enter_trial, logs_of, places_of
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
    from flows.poll import PollReport
    from flows.submit import SubmitReport
    from flows.terminal.display import Loudness

T = TypeVar("T")

DRY_RUN_VARIABLE = f"{PREFIX}EXECUTION__DRY_RUN"


def run(
    context: typer.Context,
    keys: Annotated[
        list[str] | None, typer.Argument(help="With --only: record keys, ranges or documents.", show_default=False)
    ] = None,
    config: Config = None,
    only: Annotated[
        bool, typer.Option("--only", help="One pass that sends nothing but the pages that are named.")
    ] = False,
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
    as_json: Annotated[bool, typer.Option("--json", help="What the last pass did, as one JSON object.")] = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """One pass: settle what has finished, scan, send what can be sent. Status 3 if something waits for a person."""
    if only != bool(keys):
        raise typer.BadParameter("name pages with --only: quire run --only CA:Lincoln:2023:4")
    if only and (watch or trial):
        raise typer.BadParameter("--only is one pass: leave out --watch and --trial")
    last: list[PassReport] = []
    # As variables, which beat the file, and before anything reads the settings.
    if limit is not None:
        os.environ[LIMIT_VARIABLE] = str(limit)
    if dry_run:
        os.environ[DRY_RUN_VARIABLE] = "true"

    async def run_it(config: str | None) -> str:
        from flows.terminal.calm import run_calmly

        async def remember(report: "PassReport") -> None:
            last[:] = [report]

        return await run_calmly(
            config,
            watch=watch or trial,
            accept_vanished=accept_vanished,
            after_pass=remember,
            only=keys or (),
            loudness=_loudness(verbose, quiet or as_json),
            logs=logs_of(places, on_trial=context.obj is not None),
        )

    places = places_of(config, os.environ)
    if trial and context.obj is None:
        context.obj = places
        said = run_to_end(_alone_on_trial(places, run_it, config))
    else:
        said = wait_for(run_it, config, service=True)
    if as_json:
        from flows.terminal.calm import report_json

        say(report_json(last[-1] if last else None))
    else:
        say(said)
        if context.obj is not None:
            say(banner(places))
        elif last and not quiet:
            from flows.terminal.show import place_in_prefect

            say(place_in_prefect(config_text(config)))
    if last and not last[0].scan.records and not quiet:
        from config.settings import load_settings
        from flows.terminal.nothing_found import why_no_pages

        for line in why_no_pages(load_settings(config)):
            typer.echo(printable(line), err=True)
    if last and last[0].exit_status:
        raise typer.Exit(last[0].exit_status)


def _loudness(verbose: bool, quiet: bool) -> "Loudness":
    from flows.terminal.display import Loudness

    if verbose and quiet:
        raise typer.BadParameter("say --verbose or --quiet")
    return Loudness.VERBOSE if verbose else Loudness.QUIET if quiet else Loudness.CALM


def _calmly(
    context: typer.Context,
    command: Callable[[str | None], Coroutine[Any, Any, T]],
    config: Path | None,
    verbose: bool,
    quiet: bool,
) -> Callable[[str | None], Coroutine[Any, Any, T]]:
    """The command as a terminal shows it: see `flows.terminal.calm`."""
    loudness = _loudness(verbose, quiet)

    async def run_it(path: str | None) -> T:
        from flows.terminal.calm import calmly

        logs = logs_of(places_of(config, os.environ), on_trial=context.obj is not None)
        return await calmly(command, path, loudness=loudness, logs=logs)

    return run_it


async def _alone_on_trial(
    places: Places, command: Callable[[str | None], Coroutine[Any, Any, str]], config: Path | None
) -> str:
    """The command with servers of its own, which end with it."""
    typer.echo(f"starting Prefect's server and the local Gemini, in {places.trial.path}", err=True)
    async with servers_up(places.trial, os.environ, trial=True) as servers:
        enter_trial(places, servers.urls, os.environ)
        typer.echo(banner(places), err=True)
        try:
            return await when_ready(command, config)
        finally:
            await tell_prefect_the_rest()


def scan(
    context: typer.Context,
    config: Config = None,
    full: Annotated[
        bool, typer.Option("--full", help="Ask for every file, also in folders whose time is as it was.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Look at so many pages, and whole documents, only; nothing is written.")
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Refresh the record manifest from the tree of page images. Needs no Prefect; where one answers, no pass runs
    meanwhile. Status 1 if not a page is there."""

    async def scan_it(config: str | None) -> tuple[str, bool]:
        from flows.terminal.scanning import scan_text

        return await scan_text(config, full=full, as_json=as_json, dry_run=dry_run, limit=limit)

    said, is_there = run_to_end(_calmly(context, scan_it, config, verbose, quiet)(config_text(config)))
    say(said)
    if not is_there:
        raise typer.Exit(1)


def submit(
    context: typer.Context,
    config: Config = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be sent.")] = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Send what can be sent, without polling first."""
    if dry_run:
        os.environ[DRY_RUN_VARIABLE] = "true"

    async def submit_it(config: str | None) -> "SubmitReport | None":
        from flows.submit import submit as submit_flow

        return await submit_flow(config)

    report = wait_for(_calmly(context, submit_it, config, verbose, quiet), config, service=True)
    if report is None:
        say(BUSY)
    else:
        say(
            f"{report.submitted} batches, {report.sent} records sent"
            + (f"; {report.stopped}" if report.stopped else "")
            + "".join(f"\n{line}" for line in report.would)
        )


def poll(
    context: typer.Context,
    config: Config = None,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Settle what has finished."""
    if dry_run:
        from flows.terminal.polling import would_poll_text

        say(wait_for(would_poll_text, config, service=True))
        return

    async def poll_it(config: str | None) -> "PollReport | None":
        from flows.poll import poll as poll_flow

        return await poll_flow(config)

    report = wait_for(_calmly(context, poll_it, config, verbose, quiet), config, service=True)
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


def prune(config: Config = None, dry_run: DryRun = False) -> None:
    """Take the failure counts of records that are done out of the Variables, and old runs out of Prefect."""
    if dry_run:
        from flows.prune import would_prune_text

        say(wait_for(would_prune_text, config))
        return
    from flows.prune import prune as prune_flow

    removed = wait_for(prune_flow, config)
    say(BUSY if removed is None else f"{removed} counts removed")


def serve(config: Config = None, dry_run: DryRun = False) -> None:
    """Run all deployments in this process, on their schedules, without a worker."""
    if dry_run:
        from flows.deployments import would_serve_text

        wait_for(nothing_more, config)
        say(would_serve_text())
        return
    from flows.deployments import serve_all
    from flows.gateways.prefect.api import engine_errors_told

    wait_for(nothing_more, config)
    with engine_errors_told():  # the runs' processes inherit the setting
        serve_all(config)

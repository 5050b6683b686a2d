"""The command ``quire``: arguments in, one line out when something is wrong. What a command does stands in its own
module, which is imported when the command runs: Prefect takes seconds to import, and ``--help`` should not.

Exit status 0: done what was asked; 1: failed, with one line that says why, or a batch cannot be settled; 2: usage.
"""

import logging
import sys
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from assets.domain.errors import DiskError, QuireError
from flows.runtime.extras import READER, require_extra
from flows.runtime.printable import printable
from flows.terminal import rereading
from flows.terminal.rereading import Config, Outdated
from flows.terminal.running import config_text, nothing_more, run_to_end, say, wait_for

BUSY = "another pass is running; nothing to do here"

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Key = Annotated[str, typer.Argument(help="A record key, such as CA:Lincoln:2023:4.")]


Reasons = Annotated[list[str] | None, typer.Argument(help="With --outdated: image, prompt, schema, model.")]


class Engine(StrEnum):
    OCR = "ocr"
    SCRIPT = "script"


def main() -> None:
    """The entry point. A QuireError, or trouble with the disk, is one line and exit status 1."""
    # A run that ends at once can stop Prefect's log sender while its last line is on the way (seen in 3.8.8). That line
    # is on the terminal; a traceback of logging's own beside it would only frighten.
    logging.raiseExceptions = False
    try:
        app()
    except QuireError as error:
        print(f"quire: {printable(str(error))}", file=sys.stderr)  # noqa: T201 - the terminal is where this is said
        sys.exit(1)
    except OSError as error:
        disk = DiskError.of(error)
        if disk is None:
            raise
        print(f"quire: {printable(str(disk))}", file=sys.stderr)  # noqa: T201
        sys.exit(1)


def _say_version(is_wanted: bool) -> None:
    if is_wanted:
        from importlib.metadata import version

        say(f"quire {version('quire')}")
        raise typer.Exit


@app.callback()
def quire(
    version: Annotated[
        bool, typer.Option("--version", help="Say which version this is.", callback=_say_version, is_eager=True)
    ] = False,
) -> None:
    """Validated JSON from scanned pages through Gemini's Batch API."""


@app.command()
def run(
    config: Config = None,
    watch: Annotated[bool, typer.Option("--watch", help="Repeat until nothing is runnable or in flight.")] = False,
    accept_vanished: Annotated[
        bool, typer.Option("--accept-vanished", help="Go on although many finished records have no result any more.")
    ] = False,
) -> None:
    """One pass: settle what has finished, scan, send what can be sent."""
    from flows.pipeline import PassReport
    from flows.terminal.watch import run_once, run_watch

    last: list[PassReport] = []

    async def remember(report: PassReport) -> None:
        last[:] = [report]

    repeat = run_watch if watch else run_once
    say(wait_for(partial(repeat, accept_vanished=accept_vanished, after_pass=remember), config))
    if last and last[0].exit_status:
        raise typer.Exit(last[0].exit_status)


@app.command()
def scan(config: Config = None) -> None:
    """Refresh the record manifest from the tree of page images."""
    from flows.terminal.show import scan_text

    say(wait_for(scan_text, config))


@app.command()
def submit(config: Config = None) -> None:
    """Send what can be sent, without polling first."""
    from flows.submit import submit as submit_flow

    report = wait_for(submit_flow, config)
    if report is None:
        say(BUSY)
    else:
        say(
            f"{report.submitted} batches, {report.sent} records sent"
            + (f"; {report.stopped}" if report.stopped else "")
        )


@app.command()
def poll(config: Config = None) -> None:
    """Settle what has finished."""
    from flows.poll import poll as poll_flow

    report = wait_for(poll_flow, config)
    if report is None:
        say(BUSY)
    else:
        kinds = ", ".join(f"{count} {kind}" for kind, count in report.outcomes.items()) or "no outcomes"
        say(f"{report.settled} batches settled ({kinds}), {report.running} running")
        for name, cause in report.stuck.items():
            say(f"{name} cannot be settled: {cause}")
        if report.stuck:
            raise typer.Exit(1)


@app.command()
def prune(config: Config = None) -> None:
    """Take the failure counts of records that are done out of the Variables."""
    from flows.prune import prune as prune_flow

    removed = wait_for(prune_flow, config)
    say(BUSY if removed is None else f"{removed} counts removed")


@app.command()
def status(
    reasons: Reasons = None,
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
    outdated: Outdated = False,
) -> None:
    """What is done, in flight, waiting, dead; with --outdated, which results are outdated."""
    from flows.terminal.show import said_of_status

    say(wait_for(partial(said_of_status, reasons=reasons or [], as_json=as_json, outdated=outdated), config))


@app.command()
def doctor(config: Config = None) -> None:
    """Look at all that a pass needs: a line for each, with what to do. Status 1 if something would stop a pass."""
    from flows.doctor.report import diagnose

    found = run_to_end(diagnose(config_text(config)))
    say(found.text())
    if found.stops_a_pass:
        raise typer.Exit(1)


@app.command()
def estimate(
    config: Config = None, as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False
) -> None:
    """What is left to be read, in pages, tokens and dollars, and how each number was reached. Sends nothing."""
    from flows.questions.estimate import estimate_json, estimate_text

    say(run_to_end((estimate_json if as_json else estimate_text)(config_text(config))))


@app.command()
def why(
    key: Key,
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
) -> None:
    """Where one record stands and why, what made its result, and what became of it so far."""
    from flows.questions.why import why_json, why_text

    say(run_to_end((why_json if as_json else why_text)(config_text(config), key)))


@app.command()
def check(
    key: Annotated[str | None, typer.Argument(help="A record key.", show_default="the first that can be sent")] = None,
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="The line of the input file alone.")] = False,
) -> None:
    """The request for one page as it would be sent, and what it would cost. Nothing is sent."""
    from flows.questions.check import check_json, check_text

    say(run_to_end((check_json if as_json else check_text)(config_text(config), key)))


@app.command()
def verify(
    config: Config = None,
    edited: Annotated[
        bool, typer.Option("--edited", help="Results that a person has edited are as they should be.")
    ] = False,
) -> None:
    """Read every result: is it JSON, does it fit its schema, is it what was written. Status 1 if something is wrong."""
    from flows.questions.verify import verify as verify_results

    found = run_to_end(verify_results(config_text(config)))
    say(found.text())
    if found.is_wrong(edited_is_fine=edited):
        raise typer.Exit(1)


@app.command()
def prompts(config: Config = None) -> None:
    """The prompts that can be chosen, and those that were sent."""
    from flows.tables.prompts import prompts_text

    say(prompts_text(config_text(config)))


app.command()(rereading.rerun)
app.command(name="undo-rerun")(rereading.undo_rerun)
app.command()(rereading.unblock)


@app.command(name="reset-breaker")
def reset_breaker(config: Config = None) -> None:
    """Send again after so much failed that nothing was sent any more."""
    from flows.terminal.show import reset_breaker_text

    say(wait_for(reset_breaker_text, config))


@app.command()
def release(
    batch: Annotated[str, typer.Argument(help="A batch id, submitting/..., or a submission id.")],
    config: Config = None,
    cancel: Annotated[bool, typer.Option("--cancel", help="Cancel its job at Gemini as well.")] = False,
) -> None:
    """Let go of a batch that is stuck; its records are sent again."""
    from flows.terminal.show import release_text

    say(wait_for(partial(release_text, batch=batch, cancel=cancel), config))


@app.command()
def resettle(
    batch: Annotated[str, typer.Argument(help="A batch id, or a submission id.")],
    config: Config = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would do.")] = False,
) -> None:
    """Judge the answers of a settled batch again, after a schema was corrected. Nothing is sent."""
    from flows.resettle import resettle as resettle_flow

    say(wait_for(partial(resettle_flow, batch=batch, dry_run=dry_run), config) or BUSY)


@app.command()
def recover(
    config: Config = None,
    yes: Annotated[bool, typer.Option("--yes", help="Write it; without this it is only shown.")] = False,
    forget: Annotated[
        int, typer.Option(min=0, help="With --yes: how many active batches are forgotten that no file knows.")
    ] = 0,
    accept: Annotated[
        bool,
        typer.Option("--accept-folders", help="Folders and settings that changed are right as they are; nothing else."),
    ] = False,
) -> None:
    """Make the Variables again from manifests and Gemini's list, when Prefect's database was lost or restored."""
    from flows.recover import accept_folders_text, recover_text

    if accept and (yes or forget):
        raise typer.BadParameter("it goes alone: first the folders, then the Variables", param_hint="--accept-folders")
    say(wait_for(accept_folders_text if accept else partial(recover_text, write=yes, forget=forget), config))


@app.command()
def serve(config: Config = None) -> None:
    """Run all deployments in this process, on their schedules, without a worker."""
    from flows.deployments import serve_all
    from flows.gateways.prefect.api import engine_errors_told

    wait_for(nothing_more, config)
    with engine_errors_told():  # the runs' processes inherit the setting
        serve_all(config)


@app.command()
def emulator(
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = 8790,
    host: Annotated[str, typer.Option(help="Where to listen; keep it on this machine.")] = "127.0.0.1",
    engine: Annotated[Engine, typer.Option(help="What answers: reading the image, or a script.")] = Engine.OCR,
    rules: Annotated[Path | None, typer.Option(help="A file of rules for the answers.")] = None,
) -> None:
    """A local Gemini: the File and Batch APIs, answered by OCR or by a script."""
    if engine is Engine.OCR:
        require_extra("emulator", *READER)
    from emulator.server import EmulatorOptions, serve

    serve(EmulatorOptions(host=host, port=port, engine=engine.value, rules_file=rules))


@app.command()
def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the servers running.")] = False,
    folder: Annotated[Path, typer.Option(help="Where everything of the demo lies.")] = Path("demo-data"),
    documents: Annotated[int, typer.Option(min=1, max=4, help="How many documents to read.")] = 4,
    pages: Annotated[int, typer.Option(min=2, max=6, help="How many pages each of them has.")] = 6,
) -> None:
    """The main job on this machine: a small corpus, a local Gemini that really reads it, Prefect's UI."""
    require_extra("emulator", *READER, "matplotlib")
    from flows.demo.run import run_demo

    run_to_end(run_demo(folder.absolute(), keep=keep, documents=documents, pages=pages))

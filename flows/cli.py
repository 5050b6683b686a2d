"""The command ``quire``: which commands there are, in groups, and one line out when something is wrong. The arguments
of each stand in `flows.commands`; what it does stands in its own module, which is imported when the command runs:
Prefect takes seconds to import, and ``--help`` should not.

Exit status 0: done what was asked; 1: failed, with one line that says why, or `doctor` and `verify` found something
wrong, or not a page is there (`scan`, `run`), or an image could not be fetched, or a page that was tried has no result;
2: usage; 3: done, and something waits for a person, which is named (`run`, `poll`).
"""

import logging
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from assets.domain.errors import DiskError, QuireError
from flows.commands import (
    comparing,
    correcting,
    exporting,
    fetching,
    judging,
    keeping,
    looking,
    passes,
    rereading,
    setting_up,
    steering,
    trying,
    viewing,
)
from flows.commands.options import LOOK, RUN, SET_UP, STEER, examples
from flows.runtime.printable import printable
from flows.terminal.running import say

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
COMMANDS: dict[str, dict[Callable[..., Any], tuple[str, ...]]] = {
    RUN: {
        passes.run: (
            "Read pages: one pass, or with --watch as many as it takes.",
            "quire run --watch",
            "quire run --trial",
            "quire run --only CA:Lincoln:2023:4",
        ),
        fetching.fetch: (
            "Fetch page images by their IIIF manifests.",
            "quire fetch https://example.org/iiif/book1/manifest.json",
            "quire fetch --list manifests.txt --dry-run",
        ),
        passes.scan: ("Look which pages there are.", "quire scan", "quire scan --full"),
        passes.submit: (
            "Only send what can be sent.",
            "quire submit",
        ),
        passes.poll: (
            "Only settle what has finished.",
            "quire poll",
        ),
        passes.prune: (
            "Remove failure counts that nobody needs.",
            "quire prune",
        ),
        passes.serve: (
            "Run passes on a schedule, without a worker.",
            "quire serve",
        ),
    },
    LOOK: {
        looking.status: ("What is done, in flight, waiting, dead.", "quire status", "quire status --outdated image"),
        looking.why: (
            "Where one page stands, and why.",
            "quire why CA:Lincoln:2023:4",
        ),
        looking.check: ("What would be sent for one page.", "quire check", "quire check CA:Lincoln:2023:4"),
        trying.try_page: (
            "Have one page read now, and see the answer.",
            "quire try CA:Lincoln:2023:4",
            "quire try CA:Lincoln:2023:4 --prompt v2",
        ),
        looking.estimate: (
            "What is left to be read, and what it costs.",
            "quire estimate",
        ),
        looking.plan: (
            "What would be read anew, why, and at what price.",
            "quire plan",
            "quire plan prompt,image CA:Lincoln:2023",
        ),
        comparing.compare: (
            "Which of two settings reads better, and its price.",
            "quire compare current model=gemini-3.5-flash-lite --sample 50",
            "quire compare 20261127-101500",
        ),
        comparing.second_read: (
            "How far a second reading of a sample agrees.",
            "quire second-read --model gemini-3.5-flash-lite --sample 2%",
        ),
        looking.assets: (
            "The assets: what is fresh, stale or missing.",
            "quire assets",
            "quire assets --document CA:Lincoln:2023",
            "quire assets --svg > assets.svg",
        ),
        judging.sample: (
            "Draw pages to check, so that a few tell of all.",
            "quire sample 50 --by document",
            "quire sample 50 --by decade --seed 1 --to check.csv",
        ),
        judging.quality: (
            "How good results are, and which look wrong.",
            "quire quality",
            "quire quality CA:Lincoln:2023 --json",
        ),
        looking.verify: (
            "Whether each result is what was written.",
            "quire verify",
        ),
        looking.rotated: (
            "Which pages lie sideways or upside down.",
            "quire rotated",
        ),
        looking.prompts: (
            "Which prompts there are, and which were sent.",
            "quire prompts",
        ),
        viewing.view: (
            "Look at pages and their text in a browser.",
            "quire view",
            "quire view --edit --as Ada",
            "quire view --static copy CA:Lincoln:2023",
        ),
        exporting.export: (
            "Results as tables, text, XML, IIIF or PDF.",
            "quire export csv --to pages.csv",
            "quire export markdown CA:Lincoln:2023 --to text",
            "quire export list",
        ),
        looking.doctor: (
            "Whether all that a pass needs is there.",
            "quire doctor",
        ),
    },
    STEER: {
        judging.gold: (
            "Which pages are gold; bring truth from elsewhere.",
            "quire gold",
            "quire gold import transcriptions --as Ada",
        ),
        correcting.correct: (
            "Correct the result of a page, or call it good.",
            "quire correct CA:Lincoln:2023:4 --file 4.json",
            "quire correct CA:Lincoln:2023:4 --checked --as Ada",
        ),
        rereading.rerun: (
            "Have pages read again.",
            "quire rerun CA:Lincoln:2023:1-40 --dry-run",
            "quire rerun --outdated prompt,schema --limit-usd 20 --yes",
        ),
        rereading.undo_rerun: (
            "Let results stay that were to be read again.",
            "quire undo-rerun CA:Lincoln:2023:4",
        ),
        rereading.unblock: (
            "Try dead letters and held pages again.",
            "quire unblock --dead --yes",
        ),
        steering.release: (
            "Let go of a batch that is stuck.",
            "quire release batches/abc123 --cancel",
        ),
        steering.resettle: (
            "Judge the answers of a batch again.",
            "quire resettle batches/abc123 --dry-run",
        ),
        steering.reset_breaker: (
            "Send again after too much has failed.",
            "quire reset-breaker",
        ),
        steering.automations: (
            "Make the alarms in Prefect, or remove them.",
            "quire automations apply",
            "quire automations delete --dry-run",
        ),
        steering.recover: ("Make the Variables again from the files.", "quire recover", "quire recover --yes"),
        keeping.backup: (
            "Copy all that the collection knows, consistently.",
            "quire backup /backups",
        ),
        keeping.restore: (
            "Bring a backup back, checked against today.",
            "quire restore /backups/main-20261126T101500Z --yes",
        ),
    },
    SET_UP: {
        setting_up.init: ("Write a first quire.yaml for what lies here.", "quire init", "quire init scans --dry-run"),
        setting_up.up: ("Run Prefect's server, and a local Gemini.", "quire up --trial", "quire up"),
        setting_up.demo: (
            "See all of it on a small corpus of its own.",
            "quire demo --documents 1 --pages 2",
        ),
        setting_up.emulator: (
            "Run the local Gemini alone.",
            "quire emulator --engine script",
        ),
    },
}
"""Group -> command -> what it does, in a line of `quire --help`, and examples of it."""
for _group, _commands in COMMANDS.items():
    for _command, _lines in _commands.items():
        _in_a_line, *_examples = _lines
        app.command(rich_help_panel=_group, short_help=_in_a_line, epilog=examples(*_examples))(_command)


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

"""The arguments of ``quire export``. What it does stands in `exports.run`, which is imported when it runs."""

from pathlib import Path
from typing import Annotated

import typer

from flows.commands.options import AsJson, Config, Dead, DryRun, Kind, Outdated, Quiet
from flows.terminal.running import config_text, say

INTERRUPTED = "what is whole stays, and the same command goes on"
Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SELECTION",
        help="Record keys, ranges such as CA:Lincoln:2023:1-40, or documents such as CA:Lincoln:2023; all without. "
        "With --outdated also reasons.",
    ),
]


def export(
    format_: Annotated[
        str,
        typer.Argument(metavar="FORMAT", help="The formats are told by quire export list."),
    ],
    keys: Names = None,
    to: Annotated[
        Path | None,
        typer.Option("--to", help="The folder that is made, or the file for csv and jsonl.", metavar="PATH"),
    ] = None,
    config: Config = None,
    prompt: Annotated[str | None, typer.Option("--prompt", help="Only what it made: page_transcript:v1.")] = None,
    outdated: Outdated = False,
    kind: Kind = None,
    dead: Dead = False,
    base_url: Annotated[
        str, typer.Option("--base-url", help="Where the files will stand on the web, for iiif.", metavar="URL")
    ] = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Export results, in the order of the pages: as tables, text, XML, IIIF or PDF. What is whole already is passed
    over, and the same pages give the same bytes. Needs no Prefect. Status 1 if a page or a document could not be
    exported."""
    from exports.registry import format_names, format_of

    if format_ == "list":
        say("\n".join(f"{name:<10}{format_of(name).what}" for name in format_names()))
        return
    format_of(format_)
    if to is None:
        raise typer.BadParameter("say where to: --to PATH", param_hint="--to")
    from rich.console import Console

    from assets.outdated import Reason
    from assets.selection import Selection, parse_kind, parse_prompt, with_reasons
    from exports.run import Asked
    from exports.run import export as run_export
    from flows.terminal.display import Display, Loudness

    entries, reasons = with_reasons(keys or ()) if outdated else (tuple(keys or ()), ())
    selection = Selection(
        entries=entries,
        dead=dead,
        kind=parse_kind(kind) if kind is not None else None,
        # Nothing is paid for by looking: without a reason any counts.
        outdated=(reasons or tuple(Reason)) if outdated else (),
        prompt=parse_prompt(prompt) if prompt is not None else None,
    )
    asked = Asked(format_, to, selection, base_url, dry_run)
    display = Display(Console(highlight=False), Loudness.QUIET if quiet or as_json else Loudness.CALM)
    try:
        with display.live():
            done = run_export(config_text(config), asked)
    except KeyboardInterrupt:
        typer.echo(f"quire: interrupted; {INTERRUPTED}", err=True)
        raise typer.Exit(130) from None
    say(done.as_json() if as_json else done.text())
    if done.faults:
        raise typer.Exit(1)

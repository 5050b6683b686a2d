"""The arguments of ``quire correct``. What it does stands in `flows.terminal.correcting`, which is imported when it
runs."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from flows.commands.options import Config, DryRun, Key
from flows.terminal.running import config_text, say


def correct(
    key: Key,
    file: Annotated[Path | None, typer.Option("--file", help="The result as it should be, as JSON.")] = None,
    checked: Annotated[
        bool, typer.Option("--checked", help="You have read it beside its image, and it is good as it is.")
    ] = False,
    answer: Annotated[bool, typer.Option("--answer", help="Only show what the model had answered.")] = False,
    by: Annotated[
        str | None, typer.Option("--as", help="Who you are.", metavar="NAME", show_default="the name of your account")
    ] = None,
    config: Config = None,
    dry_run: DryRun = False,
) -> None:
    """Correct the result of a page, or say that it is good. From then on it is neither sent nor overwritten but by
    quire rerun --edited. Needs no Prefect."""
    if [file is not None, checked, answer].count(True) != 1:
        raise typer.BadParameter("say one of --file FILE, --checked and --answer")
    from flows.terminal.correcting import answer_of, check_text, correct_text

    path = config_text(config)
    if answer:
        content = answer_of(path, key)
        # Into a file as it is; a terminal gets nothing that would steer it.
        if sys.stdout.isatty():
            say(content.decode(errors="replace").rstrip("\n"))
        else:
            typer.echo(content, nl=False)
    elif file is not None:
        say(correct_text(path, key, file, by=by, dry_run=dry_run))
    else:
        say(check_text(path, key, by=by, dry_run=dry_run))

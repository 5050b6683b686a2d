"""The arguments of ``quire try``. What it does stands in `flows.terminal.trying`, which is imported when it runs."""

import os
from typing import Annotated

import typer

from config.loading import PREFIX
from flows.commands.options import Config, DryRun, Key
from flows.terminal.running import say, wait_for

NAME = "try"
"""A word of Python's own, so that no function can bear it by itself."""


def try_page(
    key: Key,
    config: Config = None,
    prompt: Annotated[
        str | None, typer.Option("--prompt", help="Another prompt: its version, or page_transcript:v2.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """This page now, at the standard price: the answer, whether it fits the schema, tokens and dollars. What it costs
    is booked like all else, and no result is written. Status 1 if the answer is no result."""
    if prompt is not None:
        name, _, version = prompt.rpartition(":")
        # As variables, which beat the file, and before anything reads the settings.
        os.environ[f"{PREFIX}PROMPT__VERSION"] = version
        if name:
            os.environ[f"{PREFIX}PROMPT__NAME"] = name

    from flows.terminal.trying import Said, try_text

    async def try_it(config: str | None) -> Said:
        return await try_text(config, key, dry_run=dry_run, tell=lambda line: typer.echo(line, err=True))

    said = wait_for(try_it, config, service=not dry_run)
    say(said.text)
    if not said.fits:
        raise typer.Exit(1)


try_page.__name__ = NAME

"""The arguments of the commands by which a collection is backed up and put back."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from flows.commands.options import Config, DryRun
from flows.terminal.running import say, wait_for


def backup(
    to: Annotated[Path, typer.Argument(help="A folder, on another disk. The backup is a new folder in it.")],
    config: Config = None,
    dry_run: DryRun = False,
) -> None:
    """Copy what Quire keeps: manifests, Variables, a list of the results. No pass runs meanwhile."""
    from flows.backup import backup_text

    say(wait_for(partial(backup_text, to=to.absolute(), dry_run=dry_run), config))


def restore(
    folder: Annotated[Path, typer.Argument(help="A backup: the folder that holds a backup.json.")],
    config: Config = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this it is only shown.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Put back what is missing of a backup. Writes over no file; refuses what would have pages sent twice."""
    from flows.backup import restore_text

    say(wait_for(partial(restore_text, folder=folder.absolute(), write=yes and not dry_run), config))

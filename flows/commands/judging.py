"""The arguments of the commands by which a person learns how good results are. What they do is imported when one
runs."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from flows.commands.options import AsJson, Config, DryRun
from flows.terminal.running import config_text, say


class Act(StrEnum):
    """What `quire gold` does beside listing."""

    IMPORT = "import"


def gold(
    act: Annotated[
        Act | None, typer.Argument(metavar="[import DIR]", help="Bring truth from elsewhere.", show_default=False)
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="", help="A folder of .txt, PAGE XML and ALTO files, laid out as results, or called as the images."
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option("--as", help="With import: whose it is.", metavar="NAME", show_default="the name of your account"),
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """The pages that are gold, by which results are measured: those that people have corrected or checked, and truth
    that was imported. Needs no Prefect."""
    if (act is None) != (folder is None):
        raise typer.BadParameter("say which folder: quire gold import DIR", param_hint="import")
    from flows.terminal.correcting import person_of
    from flows.terminal.gold import gold_text, import_text

    path = config_text(config)
    if folder is None:
        say(gold_text(path, as_json=as_json))
    else:
        say(import_text(path, folder, by=person_of(by), dry_run=dry_run))

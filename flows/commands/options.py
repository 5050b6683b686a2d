"""What several commands share: the groups of `quire --help`, and the options that many of them have."""

import os
from pathlib import Path
from typing import Annotated

import typer

from flows.setup.surroundings import check_surroundings
from flows.setup.trial import banner, join_servers

RUN, LOOK, STEER, SET_UP = "Run", "Look", "Steer", "Set up"
"""The groups, in the order in which they are shown."""
BUSY = "another pass is running; nothing to do here"


def examples(*lines: str) -> str:
    """The end of a command's help. Each line a paragraph of its own, as they are typed."""
    return "\n\n".join([f"Example{'s' if len(lines) > 1 else ''}:", *lines])


def _join(context: typer.Context, config: Path | None) -> Path | None:
    """Whatever the command is, it goes to the servers that `quire up` runs here; and a trial is told on top. Prefect is
    not imported yet: it reads the environment once."""
    if context.resilient_parsing:
        return config
    check_surroundings(os.environ, Path.cwd())
    if (trial := join_servers(config, os.environ)) is not None:
        context.obj = trial
        typer.echo(banner(trial), err=True)
    return config


ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="Configuration file.",
        envvar="QUIRE_CONFIG",
        show_default="the nearest quire.yaml, here or above",
    ),
]
"""Of those that start what the others join."""
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="Configuration file.",
        envvar="QUIRE_CONFIG",
        show_default="the nearest quire.yaml, here or above",
        callback=_join,
    ),
]
"""Of every command that works on a collection."""
AsJson = Annotated[bool, typer.Option("--json", help="As one JSON object.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what it would do.")]
Key = Annotated[str, typer.Argument(help="A record key, such as CA:Lincoln:2023:4.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Every line of the log, too.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Nothing but the end.")]
Outdated = Annotated[
    bool, typer.Option("--outdated", help="What was made from another image, prompt, schema, model or context.")
]
Reasons = Annotated[list[str] | None, typer.Argument(help="With --outdated: image, prompt, schema, model, context.")]
Dead = Annotated[bool, typer.Option("--dead", help="Dead letters.")]
Kind = Annotated[str | None, typer.Option("--kind", help="Whose last outcome is of this kind, such as blocked.")]

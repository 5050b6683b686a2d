"""The arguments of ``quire view``. What it does stands in `viewer.serving` and `viewer.static_site`, which are imported
when it runs."""

import os
from pathlib import Path
from typing import Annotated

import typer

from flows.commands.options import Config
from flows.terminal.running import config_text, say

EXTRA = "view"
PACKAGES = ("starlette", "uvicorn")
NOTHING_WRITTEN = "nothing is written"
Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SELECTION",
        help="With --static: record keys, ranges such as CA:Lincoln:2023:1-40, or documents; all without.",
    ),
]


def view(
    keys: Names = None,
    config: Config = None,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Of this machine; 0 takes a free one.")] = 0,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only say the address.")] = False,
    edit: Annotated[bool, typer.Option("--edit", help="Pages can be corrected, and marked as checked.")] = False,
    by: Annotated[
        str | None,
        typer.Option("--as", help="With --edit: who corrects.", show_default="your account's name", metavar="NAME"),
    ] = None,
    static: Annotated[
        Path | None,
        typer.Option("--static", help="Write the same pages as files into this new folder.", metavar="OUT"),
    ] = None,
    prompt: Annotated[
        str | None, typer.Option("--prompt", help="With --static: only what it made: page_transcript:v1.")
    ] = None,
) -> None:
    """Look at the collection in a browser: documents, pages beside their text, failures, search. Only who has the
    address sees it, on this machine alone; nothing is changed, unless with --edit. Ends with Ctrl-C. With --static: as
    files for somebody without Quire."""
    from flows.runtime.extras import require_extra

    require_extra(EXTRA, *PACKAGES)
    if static is not None:
        if edit:
            raise typer.BadParameter("a copy in files cannot be corrected", param_hint="--edit")
        _write(config, static, keys or [], prompt)
        return
    if keys or prompt is not None:
        raise typer.BadParameter("it goes with --static", param_hint="SELECTION" if keys else "--prompt")
    if by is not None and not edit:
        raise typer.BadParameter("it goes with --edit", param_hint="--as")
    from flows.terminal.correcting import person_of
    from viewer.serving import serve

    person = person_of(by) if edit else None

    def tell(address: str) -> None:
        say(f"{address}\nThe address is for you alone: whoever has it sees all pages. Ctrl-C ends the viewer.")
        if not no_browser and _has_screen():
            typer.launch(address)

    try:
        serve(config_text(config), port, tell, person=person, on_reading=_tell_reading)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def _write(config: Path | None, to: Path, keys: list[str], prompt: str | None) -> None:
    from rich.console import Console

    from assets.selection import Selection, parse_prompt
    from flows.terminal.display import Display, Loudness
    from viewer.static_site import write_static

    selection = Selection(entries=tuple(keys), prompt=parse_prompt(prompt) if prompt is not None else None)
    try:
        with Display(Console(highlight=False), Loudness.CALM).live():
            done = write_static(config_text(config), to, selection)
    except KeyboardInterrupt:
        typer.echo(f"quire: interrupted; {NOTHING_WRITTEN}", err=True)
        raise typer.Exit(130) from None
    say(done.text())
    if done.faults:
        raise typer.Exit(1)


def _tell_reading() -> None:
    typer.echo("Reading the collection ...", err=True)


def _has_screen() -> bool:
    """Else a browser for text would take the terminal."""
    return os.name == "nt" or os.uname().sysname == "Darwin" or bool({"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys())

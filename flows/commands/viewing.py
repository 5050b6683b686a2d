"""The arguments of ``quire view``. What it does stands in `viewer.serving`, which is imported when it runs."""

import os
from typing import Annotated

import typer

from flows.commands.options import Config
from flows.terminal.running import config_text, say

EXTRA = "view"
PACKAGES = ("starlette", "uvicorn")


def view(
    config: Config = None,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Of this machine; 0 takes a free one.")] = 0,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only say the address.")] = False,
) -> None:
    """Look at the collection in a browser: documents, pages beside their text, failures, search. Only who has the
    address sees it, on this machine alone; nothing is changed. Ends with Ctrl-C."""
    from flows.runtime.extras import require_extra

    require_extra(EXTRA, *PACKAGES)
    from viewer.serving import serve

    def tell(address: str) -> None:
        say(f"{address}\nThe address is for you alone: whoever has it sees all pages. Ctrl-C ends the viewer.")
        if not no_browser and _has_screen():
            typer.launch(address)

    try:
        serve(config_text(config), port, tell, on_reading=lambda: typer.echo("Reading the collection ...", err=True))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def _has_screen() -> bool:
    """Else a browser for text would take the terminal."""
    return os.name == "nt" or os.uname().sysname == "Darwin" or bool({"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys())

"""How a command runs from the terminal, to its end or to Ctrl-C, and how it speaks. What commands there are stands in
`cli`; Prefect is imported when it is needed, as there.
"""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import typer

from flows.runtime.printable import printable_lines

T = TypeVar("T")


def say(text: str) -> None:
    """To the terminal. Names and words of others are in it."""
    typer.echo(printable_lines(text))


def wait_for(command: Callable[[str | None], Coroutine[Any, Any, T]], config: Path | None) -> T:
    """Run a command against Prefect, after a look whether it can run at all."""
    from flows.gateways.prefect.api import engine_errors_told
    from flows.runtime.ready import check_ready

    async def run_it() -> T:
        await check_ready(config_text(config))
        with engine_errors_told():
            return await command(config_text(config))

    return run_to_end(run_it())


def run_to_end(command: Coroutine[Any, Any, T]) -> T:
    """Run it to its end, or to Ctrl-C."""
    try:
        return asyncio.run(command)
    except KeyboardInterrupt:
        typer.echo("quire: interrupted; nothing is lost, the next pass goes on", err=True)
        raise typer.Exit(130) from None


async def nothing_more(config: str | None) -> None:
    """For a command that goes on outside of our event loop."""


def config_text(config: Path | None) -> str | None:
    """The path of the configuration file, as flows take it."""
    return str(config.absolute()) if config is not None else None

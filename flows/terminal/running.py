"""How a command runs from the terminal, to its end, to Ctrl-C or to a signal that ends it, and how it speaks. What
commands there are stands in `flows.cli`; Prefect is imported when it is needed, as there.
"""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import typer

from flows.runtime.printable import printable_lines

T = TypeVar("T")
INTERRUPTED = "nothing is lost, the next pass goes on"
ENDING = (signal.SIGTERM, signal.SIGHUP)


def say(text: str) -> None:
    """To the terminal. Names and words of others are in it."""
    typer.echo(printable_lines(text))


def wait_for(
    command: Callable[[str | None], Coroutine[Any, Any, T]], config: Path | None, *, service: bool = False
) -> T:
    """Run a command against Prefect, after a look whether it can run at all. ``service``: it calls Gemini as well."""
    return run_to_end(when_ready(command, config, service=service))


async def when_ready(
    command: Callable[[str | None], Coroutine[Any, Any, T]], config: Path | None, *, service: bool = False
) -> T:
    """Await a command that needs Prefect, after a look whether it can run at all. Raises QuireError."""
    from flows.gateways.prefect.api import engine_client, engine_errors_told
    from flows.runtime.ready import check_ready

    await check_ready(config_text(config), service=service)
    with engine_errors_told():
        async with engine_client():
            return await command(config_text(config))


def run_to_end(command: Coroutine[Any, Any, T], *, interrupted: str = INTERRUPTED) -> T:
    """Run it to its end, or to Ctrl-C, a kill or a closed terminal: then the command tidies up as far as it can, and
    the exit status is that of the signal. ``interrupted``: what the person is told then."""
    got: list[signal.Signals] = []

    async def run_it() -> T:
        async with _cancelled_by_signals(got):
            return await command

    try:
        return asyncio.run(run_it())
    except KeyboardInterrupt:
        typer.echo(f"quire: interrupted; {interrupted}", err=True)
        raise typer.Exit(130) from None
    except BaseException as error:
        # Within a flow Prefect's own handler raises its TerminationSignal besides (3.9.1).
        if not got:
            raise
        typer.echo(f"quire: ended by {got[0].name}; {interrupted}", err=True)
        raise typer.Exit(128 + got[0]) from (None if isinstance(error, asyncio.CancelledError) else error)


@contextlib.asynccontextmanager
async def _cancelled_by_signals(got: list[signal.Signals]) -> AsyncIterator[None]:
    """Cancel the task at the first signal that is to end the process. ``got``: is told which."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def end(number: signal.Signals) -> None:
        got.append(number)
        if task is not None and len(got) == 1:
            task.cancel()

    for number in ENDING:
        loop.add_signal_handler(number, end, number)
    try:
        yield
    finally:
        for number in ENDING:
            loop.remove_signal_handler(number)


async def tell_prefect_the_rest() -> None:
    """Send what this process still has to say to Prefect's server, where that is to end: the end of the process would
    wait for it."""
    import inspect

    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    for waiting in (APILogWorker.instance().drain(), EventsWorker.drain_all()):
        if inspect.isawaitable(waiting):
            await waiting


async def nothing_more(config: str | None) -> None:
    """For a command that goes on outside of our event loop."""


def config_text(config: Path | None) -> str | None:
    """The path of the configuration file, as flows take it."""
    return str(config.absolute()) if config is not None else None

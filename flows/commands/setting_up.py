"""The commands that come before the first pass: a first configuration, the servers, the local Gemini, the demo."""

import errno
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from assets.domain.errors import QuireError
from flows.commands.options import ConfigFile, DryRun
from flows.runtime.extras import READER, require_extra
from flows.setup.trial import places_of
from flows.setup.up import keep_up
from flows.terminal.running import run_to_end, say


class Engine(StrEnum):
    OCR = "ocr"
    SCRIPT = "script"


def init(
    folder: Annotated[Path, typer.Argument(help="The folder that the scans lie in.", show_default="here")] = Path(),
    dry_run: DryRun = False,
) -> None:
    """Write a first quire.yaml that fits the scans and PDFs that lie here, and say what to type next."""
    from flows.setup.starter import start_collection

    say(start_collection(folder, dry_run=dry_run))


def up(
    config: ConfigFile = None,
    trial: Annotated[
        bool, typer.Option("--trial", help="With a local Gemini, to try it for nothing, apart from all that is real.")
    ] = False,
) -> None:
    """Run Prefect's server for the collection here, with the settings that work, until Ctrl-C. Commands find it."""
    run_to_end(
        keep_up(places_of(config, os.environ), os.environ, trial=trial, say=say),
        interrupted="the servers are ended; quire up starts them again, with all that they know",
    )


def emulator(
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one.")] = 8790,
    host: Annotated[str, typer.Option(help="Where to listen; keep it on this machine.")] = "127.0.0.1",
    engine: Annotated[Engine, typer.Option(help="What answers: reading the image, or a script.")] = Engine.OCR,
    rules: Annotated[Path | None, typer.Option(help="A file of rules for the answers.")] = None,
) -> None:
    """A local Gemini: the File and Batch APIs, answered by OCR or by a script. Says where it listens."""
    if engine is Engine.OCR:
        require_extra("emulator", *READER)
    from emulator.server import EmulatorOptions, serve

    try:
        serve(
            EmulatorOptions(host=host, port=port, engine=engine.value, rules_file=rules),
            on_ready=lambda url: say(f"the local Gemini listens at {url}, for gemini.base_url; Ctrl-C ends it"),
        )
    except ValueError as error:
        raise QuireError(str(error)) from None
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES):
            raise
        raise QuireError(
            f"{host}:{port} cannot be listened at: {error.strerror}; give another port with --port, or --port 0 for any"
        ) from None


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the servers running.")] = False,
    folder: Annotated[Path, typer.Option(help="Where everything of the demo lies.")] = Path("demo-data"),
    documents: Annotated[int, typer.Option(min=1, max=4, help="How many documents to read.")] = 4,
    pages: Annotated[int, typer.Option(min=2, max=6, help="How many pages each of them has.")] = 6,
) -> None:
    """The main job on this machine: a small corpus, a local Gemini that really reads it, Prefect's UI."""
    require_extra("emulator", *READER, "matplotlib")
    from flows.demo.run import run_demo

    run_to_end(run_demo(folder.absolute(), keep=keep, documents=documents, pages=pages))

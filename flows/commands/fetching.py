"""The command that brings page images in from elsewhere. What it does stands in `flows.terminal.fetching`."""

from pathlib import Path
from typing import Annotated

import typer

from flows.commands.options import AsJson, ConfigFile, DryRun, Quiet
from flows.terminal.running import config_text, run_to_end, say

INTERRUPTED = "what was fetched stays, and the same command goes on"


def fetch(
    manifests: Annotated[
        list[str] | None,
        typer.Argument(metavar="MANIFEST...", help="Addresses of IIIF manifests or collections, or files with one."),
    ] = None,
    config: ConfigFile = None,
    document: Annotated[
        str | None, typer.Option(help="The document that it becomes, such as CA:Lincoln:2023.", metavar="DOCUMENT")
    ] = None,
    listed: Annotated[
        Path | None,
        typer.Option("--list", help="A file with a manifest in each line, and after a blank its document."),
    ] = None,
    into: Annotated[
        Path | None, typer.Option("--into", help="A folder for the documents, without a quire.yaml.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Exchange images that are other here, or at the server, by now.")
    ] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Fetch the page images of IIIF manifests, each as a document. Images that are there are not fetched again. Needs
    no Prefect. Status 1 if an image is missing at the end."""
    from flows.terminal.display import Loudness
    from flows.terminal.fetching import Asked, fetch

    asked = Asked(manifests or [], listed, document, into, replace, dry_run)
    loudness = Loudness.QUIET if quiet else Loudness.CALM
    said, is_all = run_to_end(
        fetch(config_text(config), asked, as_json=as_json, loudness=loudness), interrupted=INTERRUPTED
    )
    say(said)
    if not is_all:
        raise typer.Exit(1)

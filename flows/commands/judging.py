"""The arguments of the commands by which a person learns how good results are. What they do is imported when one
runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from flows.commands.options import AsJson, Config, DryRun
from flows.terminal.running import config_text, say

Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SELECTION",
        help="Record keys, ranges such as CA:Lincoln:2023:1-40, or documents such as CA:Lincoln:2023; all without.",
    ),
]


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


def sample(
    count: Annotated[int, typer.Argument(metavar="N", min=1, help="How many pages.")],
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by",
            help="Spread them over documents, decades, scripts or kinds of page, or over a field; may be said again.",
            metavar="document|decade|script|kind|FIELD",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another number draws other pages.")] = 0,
    to: Annotated[Path | None, typer.Option("--to", help="Write them to this CSV file.", metavar="FILE")] = None,
    config: Config = None,
) -> None:
    """Draw pages to check, so that a few tell of all: by chance, each with the same, and the same ones for the same
    seed. Needs no Prefect."""
    from flows.terminal.sampling import sample_text

    with _progress(is_quiet=False):
        said = sample_text(config_text(config), count, by=by or [], seed=seed, to=to)
    say(said)


def quality(
    keys: Names = None,
    case: Annotated[bool, typer.Option("--case/--no-case", help="Whether capitals count.")] = True,
    punctuation: Annotated[
        bool, typer.Option("--punctuation/--no-punctuation", help="Whether punctuation counts.")
    ] = True,
    body: Annotated[bool, typer.Option("--body", help="Leave out running heads and page numbers.")] = False,
    gold_only: Annotated[
        bool, typer.Option("--gold-only", help="Only measure against gold; do not look through all results.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the draws of the bootstrap.")] = 0,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """How good results are: errors against gold, with intervals for all pages; and which pages look wrong without
    anybody having read them. Needs no Prefect."""
    from flows.runtime.extras import require_extra

    require_extra("quality", "rapidfuzz")
    from assets.quality.normal import Normalization
    from assets.selection import Selection
    from config.settings import load_settings
    from flows.questions.quality import Options, find_quality
    from flows.questions.quality_report import quality_json, quality_text
    from flows.runtime.wiring import config_path, make_storage

    settings = load_settings(config_path(config_text(config)))
    options = Options(Selection(entries=tuple(keys or ())), Normalization(case, punctuation), body, gold_only, seed)
    with _progress(is_quiet=as_json):
        found = find_quality(settings, make_storage(settings), options)
    say(quality_json(found) if as_json else quality_text(found))


@contextmanager
def _progress(*, is_quiet: bool) -> Iterator[None]:
    """How far it is, in the terminal."""
    from rich.console import Console

    from flows.terminal.display import Display, Loudness

    display = Display(Console(highlight=False, stderr=True), Loudness.QUIET if is_quiet else Loudness.CALM)
    with display.live():
        yield

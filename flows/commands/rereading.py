"""The arguments of the commands by which a person has pages read again, takes that back, or has them tried again. What
they do stands in `flows.terminal.reruns`, which is imported when one runs.
"""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.options import Config, Dead, DryRun, Kind, Outdated
from flows.terminal.running import say, wait_for

if TYPE_CHECKING:
    from flows.terminal.reruns import Words

Names = Annotated[
    list[str] | None,
    typer.Argument(
        help="Record keys, ranges such as CA:Lincoln:2023:1-40, or documents such as CA:Lincoln:2023; with --outdated "
        "also reasons: image, prompt, schema, model, context.",
    ),
]
Prompt = Annotated[str | None, typer.Option("--prompt", help="Read, or tried last, with it: page_transcript:v1.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it; all but a single record key is only shown without.")]
NAME_SOME = "name record keys, such as CA:Lincoln:2023:4, or a document, or say --dead, --kind, --outdated or --prompt"


def rerun(
    keys: Names = None,
    config: Config = None,
    dead: Dead = False,
    kind: Kind = None,
    outdated: Outdated = False,
    prompt: Prompt = None,
    edited: Annotated[
        bool,
        typer.Option("--edited", help="Also those whose result people have corrected, checked, edited or put there."),
    ] = False,
    documents: Annotated[
        list[str] | None, typer.Option("--documents", help="Of these documents alone; the same as to name them.")
    ] = None,
    limit_usd: Annotated[
        float | None,
        typer.Option("--limit-usd", min=0, help="The first pages that cost no more together, as expected."),
    ] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Have records read again, and reset their counts. Their results stay until the new ones are written. Options
    narrow: those of the records named, or of all, that fit each of them."""
    named = [*(keys or ()), *(name for each in documents or () for name in each.split(","))]
    words = _words(named, dead, kind, outdated, prompt)
    from flows.terminal.reruns import rerun_text

    asked = partial(rerun_text, words=words, edited=edited, limit_usd=limit_usd, dry_run=dry_run, yes=yes)
    say(wait_for(asked, config))


def undo_rerun(
    keys: Names = None,
    config: Config = None,
    dead: Dead = False,
    kind: Kind = None,
    prompt: Prompt = None,
    everything: Annotated[bool, typer.Option("--all", help="All that are to be read again.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Let results stay that were to be read again, and have not been yet."""
    if everything == bool(keys or dead or kind or prompt):
        raise typer.BadParameter("name record keys or documents, or say --dead, --kind, --prompt; or --all")
    from flows.terminal.reruns import Words, undo_rerun_text

    say(wait_for(partial(undo_rerun_text, words=Words(keys or (), dead, kind, False, prompt), dry_run=dry_run), config))


def unblock(
    keys: Names = None,
    config: Config = None,
    dead: Dead = False,
    kind: Kind = None,
    outdated: Outdated = False,
    prompt: Prompt = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which records it would be.")] = False,
    yes: Yes = False,
) -> None:
    """Reset the failure counts of dead letters, and let held records go on, so that they are tried again."""
    words = _words(keys, dead, kind, outdated, prompt)
    from flows.terminal.reruns import unblock_text

    say(wait_for(partial(unblock_text, words=words, dry_run=dry_run, yes=yes), config))


def _words(keys: list[str] | None, dead: bool, kind: str | None, outdated: bool, prompt: str | None) -> "Words":
    if not (keys or dead or kind or outdated or prompt):
        raise typer.BadParameter(NAME_SOME)
    from flows.terminal.reruns import Words

    return Words(keys or (), dead, kind, outdated, prompt)

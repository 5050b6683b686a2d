"""The commands by which a person steers, but for those that have pages read again: see `rereading`. What they do is
imported when one runs: Prefect takes seconds.
"""

from collections.abc import Callable, Coroutine
from enum import StrEnum
from functools import partial
from typing import Annotated, Any

import typer

from flows.commands.options import BUSY, Config, DryRun
from flows.terminal.running import say, wait_for


def reset_breaker(config: Config = None, dry_run: DryRun = False) -> None:
    """Send again after so much failed that nothing was sent any more."""
    from flows.terminal.show import reset_breaker_text

    say(wait_for(partial(reset_breaker_text, dry_run=dry_run), config))


def release(
    batch: Annotated[str, typer.Argument(help="A batch id, submitting/..., or a submission id.")],
    config: Config = None,
    cancel: Annotated[bool, typer.Option("--cancel", help="Cancel its job at Gemini as well.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Let go of a batch that is stuck; its records are sent again."""
    from flows.terminal.show import release_text

    say(wait_for(partial(release_text, batch=batch, cancel=cancel, dry_run=dry_run), config))


def resettle(
    batch: Annotated[str, typer.Argument(help="A batch id, or a submission id.")],
    config: Config = None,
    dry_run: DryRun = False,
) -> None:
    """Judge the answers of a settled batch again, after a schema was corrected. Nothing is sent."""
    from flows.resettle import resettle as resettle_flow

    say(wait_for(partial(resettle_flow, batch=batch, dry_run=dry_run), config) or BUSY)


def recover(
    config: Config = None,
    yes: Annotated[bool, typer.Option("--yes", help="Write it; without this it is only shown.")] = False,
    forget: Annotated[
        int, typer.Option(min=0, help="With --yes: how many active batches are forgotten that no file knows.")
    ] = 0,
    accept: Annotated[
        bool,
        typer.Option("--accept-folders", help="Folders and settings that changed are right as they are; nothing else."),
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Make the Variables again from manifests and Gemini's list, when Prefect's database was lost or restored."""
    from flows.recover import accept_folders_text, recover_text

    if accept and (yes or forget):
        raise typer.BadParameter("it goes alone: first the folders, then the Variables", param_hint="--accept-folders")
    write = yes and not dry_run
    accepted = partial(accept_folders_text, dry_run=dry_run)
    say(wait_for(accepted if accept else partial(recover_text, write=write, forget=forget), config))


class Doing(StrEnum):
    APPLY = "apply"
    LIST = "list"
    DELETE = "delete"


def automations(
    doing: Annotated[
        Doing,
        typer.Argument(
            metavar="apply|list|delete",
            help="apply: make them as the settings say; list: show which there are; delete: remove them.",
        ),
    ],
    config: Config = None,
    dry_run: DryRun = False,
) -> None:
    """The alarms of this collection as automations in Prefect: see alerts in the settings."""
    from flows.alarms.automations import apply_text, delete_text, list_text

    does: dict[Doing, Callable[[str | None], Coroutine[Any, Any, str]]] = {
        Doing.APPLY: partial(apply_text, dry_run=dry_run),
        Doing.LIST: list_text,
        Doing.DELETE: partial(delete_text, dry_run=dry_run),
    }
    say(wait_for(does[doing], config))

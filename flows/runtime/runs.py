"""How a run of a flow tells of itself in Prefect: its name, its tags, and the state that it ends in, with a message in
words. Reports and progress stand in `flows.runtime.telling`, a run that must stop in `flows.runtime.one_line`.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from prefect.context import FlowRunContext
from prefect.states import Completed

from assets.domain.errors import QuireError
from config.settings import Settings, load_settings
from flows.runtime.printable import printable_lines
from flows.runtime.telling import Teller
from flows.runtime.wiring import config_path, tags_of, utc_now

R = TypeVar("R")

NEEDS_PERSON = "NeedsPerson"
"""The state of a run that has done its work and leaves something to a person: of the type COMPLETED, under a name of
its own. Prefect sends the event ``prefect.flow-run.NeedsPerson`` for it, by which an automation can tell it, and its
list of runs can be filtered by it (3.9.1, ``prefect/server/models/events.py``)."""
_MAX_MESSAGE_CHARS = 1000


def named(flow: str) -> Callable[[], str]:
    """For ``flow_run_name`` of a flow: ``pipeline ca 2026-11-26 10:20``, in UTC; what came of it is added at the
    end."""

    def name() -> str:
        return f"{flow} {_collection()} {utc_now():%Y-%m-%d %H:%M}".replace("  ", " ")

    return name


def _collection() -> str:
    context = FlowRunContext.get()
    config = (context.parameters or {}).get("config") if context is not None else None
    try:
        return load_settings(config_path(config)).collection
    except (QuireError, OSError):
        return ""  # The run is about to say what is wrong with the settings.


async def tag_run(teller: Teller, settings: Settings) -> None:
    """Give the run that is under way its tags, beside those of its deployment."""
    context = FlowRunContext.get()
    if context is not None and context.flow_run is not None:
        has = set(context.flow_run.tags)
        wanted = has.union(tags_of(settings))
        if wanted != has:
            await teller.describe_run(context.flow_run.id, tags=sorted(wanted))


async def ended(teller: Teller, did: str, message: str, result: R, *, needs_person: bool = False) -> R:
    """What a flow returns at its end, so that its run tells of it. ``did``: a few words for its name, such as
    ``3 settled, 2 sent``; ``message``: for the state; ``result``: what the flow's caller gets; ``needs_person``: the
    state is NEEDS_PERSON."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return result
    await teller.describe_run(context.flow_run.id, name=f"{context.flow_run.name}: {did}")
    said = printable_lines(message)[:_MAX_MESSAGE_CHARS]
    state: Any = Completed(name=NEEDS_PERSON if needs_person else "Completed", message=said, data=cast(Any, result))
    return cast(R, state)


def counted(count: int, one: str, many: str | None = None) -> str:
    """``1 page``, ``5,000 pages``. ``many``: where it is not ``one`` with an s."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"

"""The end of a run of passes: what was read, what it cost, where things are, what to type next. What needs a person,
and the verdict, are the words of `flows.terminal.show`, which come last.
"""

from pathlib import Path

from assets.candidates import RecordState
from assets.domain.money import dollars
from config.settings import load_settings
from flows.questions.status import Status
from flows.runtime.wiring import config_path
from flows.tables.left_out import left_out_place
from flows.terminal.facts import fact, short
from flows.terminal.show import read_status_and_storage


async def facts_at_end(config: str | None, *, log: Path) -> list[str]:
    """A line for each. ``log``: the file that Prefect's lines went to."""
    settings = load_settings(config_path(config))
    found, storage = await read_status_and_storage(config)
    lines = [""]
    lines += fact("pages", _pages(found))
    if found.left_out:
        lines += fact("left out", f"{found.left_out} files: {short(Path(left_out_place(storage)))} lists them")
    if found.failures:
        lines += fact("failures", ", ".join(f"{count} {kind}" for kind, count in found.failures.items()))
    if found.spent_usd or found.open_usd:
        in_flight = f", at most {dollars(found.open_usd)} in flight" if found.open_usd else ""
        lines += fact("cost", f"{dollars(found.spent_usd)} by the settings' prices{in_flight}")
    lines += fact("results", short(settings.paths.output_results))
    lines += fact("log", short(log))
    return [*lines, *fact("next", _next(found)), ""]


def _pages(found: Status) -> str:
    parts = [f"{found.states[RecordState.DONE]:,} of {found.records:,} read"]
    parts += [
        f"{found.states[state]:,} {state}" for state in RecordState if state != RecordState.DONE and found.states[state]
    ]
    return ", ".join(parts)


def _next(found: Status) -> str:
    needy = next(iter((*found.dead_letters, *found.held)), None)
    if needy is not None:
        return f"quire why {needy}   (then quire unblock {needy}, to try it again)"
    if found.states[RecordState.DONE] < found.records:
        return "quire status, or quire run --watch to go on"
    return "quire verify looks whether every result is what was written; quire rerun KEY has one read again"

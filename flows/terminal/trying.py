"""``quire try``: the answer to one page, now, with its validation, tokens and dollars. How it is sent and booked stands
in `flows.protocol.trying`, the request in `flows.questions.check`.
"""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime

from assets.domain.errors import PassBusyError
from assets.domain.money import dollars
from assets.domain.outcome import OutcomeKind
from flows.protocol.trying import Tried, TryRequest, try_page
from flows.questions.check import Checked, check, summary
from flows.runtime.passes import one_run_of_passes, open_pass
from flows.runtime.printable import printable, printable_lines
from flows.runtime.wiring import utc_now
from flows.tables.prices import price_of

NOTHING_SENT = "dry run: nothing is sent"


@dataclass(frozen=True, slots=True)
class Said:
    """``fits``: whether the answer would be a result."""

    text: str
    fits: bool


async def try_text(
    config: str | None, key: str, *, dry_run: bool = False, tell: Callable[[str], None] = lambda _: None
) -> Said:
    """Waits for a pass that is running, which ``tell`` is told of. Raises QuireError, OSError."""
    if dry_run:
        found = await check(config, key, at_once=True)
        return Said("\n".join([*summary(found), "", NOTHING_SENT]), fits=True)
    async with AsyncExitStack() as stack:
        try:
            p = await stack.enter_async_context(open_pass(config))
        except PassBusyError:
            tell("a pass is running: this page is read when it has ended")
            stack.enter_context(one_run_of_passes(utc_now()))
            p = await stack.enter_async_context(open_pass(config))
        found = await check(config, key, at_once=True)
        if found.settings.execution.dry_run:
            return Said("\n".join([*summary(found), "", f"execution.dry_run is set: {NOTHING_SENT}"]), fits=True)
        tried = await try_page(p, _request(found))
        place = printable(str(p.services.storage.tries.path(tried.noted.try_id)))
    lines = [*summary(found), "", *_answer_lines(tried), "", *_cost_lines(found, tried)]
    lines.append(f"booked in {place}; no result was written")
    return Said("\n".join(lines), tried.result is not None)


def _request(found: Checked) -> TryRequest:
    rows, before = found.rows
    takes_image = rows["takes_image"][0].as_py()
    return TryRequest(
        record_key=found.row["record_key"],
        line=found.line,
        rows=rows,
        before=before if takes_image else before.slice(0, 0),
        facts=found.facts,
        max_usd=found.estimate["max_usd"],
    )


def _answer_lines(tried: Tried) -> list[str]:
    if tried.result is not None:
        return ["--- answer ---", printable_lines(tried.result.decode().rstrip()), "", "it fits the schema"]
    shown = ["--- answer ---", printable_lines(tried.raw_text), ""] if tried.raw_text else []
    kind = tried.answer.kind
    about = "it does not fit the schema" if kind == OutcomeKind.SCHEMA_MISMATCH else f"it is no result ({kind})"
    return [*shown, printable(f"{about}: {tried.answer.message}")]


def _cost_lines(found: Checked, tried: Tried) -> list[str]:
    answer, most_usd = tried.answer, tried.noted.max_usd
    if answer.prompt_tokens is None:
        most = dollars(most_usd) if most_usd is not None else "an unknown sum"
        return [f"what it cost is not known, as its usage does not add up: it counts with {most}, the most that can be"]
    thought = f"{answer.thoughts_tokens or 0:,} thought"
    tokens = f"{answer.prompt_tokens:,} tokens in, {answer.output_tokens or 0:,} out, {thought}"
    if answer.usd is None:
        return [f"{tokens}; no price of {printable(found.facts.model)} is known"]
    return [f"{tokens}: {dollars(answer.usd)} at the standard price{_in_a_batch(found, answer.usd, tried.noted.at)}"]


def _in_a_batch(found: Checked, usd: float, at: datetime) -> str:
    price = price_of(found.settings, found.facts.model, at.date())
    return "" if price is None else f", {dollars(usd * price.batch_factor)} in a batch"

"""What submissions have cost, and what the open ones can cost at most: the table of closed submissions, the sums that
the caps are held against, and the rates that later estimates go by. All of it is derived from batch manifests and
outcomes; there is no second truth. What a request is taken to cost beforehand stands in `estimates`.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import inf

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from assets.answered_by import first_retirement, other_models
from assets.domain.batch import LATE, submission_of
from assets.domain.money import Price
from assets.domain.outcome import ANSWERED_WELL, OutcomeKind
from assets.domain.tries import Try
from assets.outcomes import main_cause
from assets.planning import SubmissionFacts

SUBMISSIONS_SCHEMA = pa.schema(
    [
        pa.field("submission_id", pa.string(), nullable=False),
        pa.field("created_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("closed_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("settlement", pa.int64()),
        pa.field("model", pa.string(), nullable=False),
        pa.field("answered_by", pa.string()),
        pa.field("retires_at", pa.timestamp("us", tz="UTC")),
        pa.field("way_of_asking", pa.string(), nullable=False),
        pa.field("batch_id", pa.string()),
        pa.field("released", pa.bool_(), nullable=False),
        pa.field("was_posted", pa.bool_(), nullable=False),
        pa.field("was_sent", pa.bool_(), nullable=False),
        pa.field("records", pa.int64(), nullable=False),
        pa.field("succeeded", pa.int64(), nullable=False),
        pa.field("service_errors", pa.int64(), nullable=False),
        pa.field("cause", pa.string()),
        pa.field("answers", pa.int64(), nullable=False),
        pa.field("estimated_image_tokens", pa.int64(), nullable=False),
        pa.field("estimated_text_tokens", pa.int64(), nullable=False),
        pa.field("prompt_tokens", pa.int64(), nullable=False),
        pa.field("output_tokens", pa.int64(), nullable=False),
        pa.field("thoughts_tokens", pa.int64(), nullable=False),
        pa.field("cached_tokens", pa.int64(), nullable=False),
        pa.field("estimated_usd", pa.float64()),
        pa.field("usd", pa.float64()),
        pa.field("unsure", pa.int64(), nullable=False),
        pa.field("unsure_usd", pa.float64()),
    ]
)
"""Described in manifests/README.md."""

_MOMENT = pa.timestamp("us", tz="UTC")
BILLED = ("prompt_tokens", "output_tokens", "thoughts_tokens", "cached_tokens")
_PERHAPS_BILLED = frozenset({OutcomeKind.MISSING, OutcomeKind.BATCH_CANCELLED}) | (
    ANSWERED_WELL | {OutcomeKind.BLOCKED, OutcomeKind.CUT_SHORT, OutcomeKind.EMPTY}
    | {OutcomeKind.NOT_JSON, OutcomeKind.SCHEMA_MISMATCH, OutcomeKind.VALIDATOR_ERROR}
)  # fmt: skip
"""Where no usage says what these cost, nothing does: a job that succeeded may have answered what it did not write down,
one that was cancelled may have answered before, and an answer without a usage that adds up was paid for all the same.
Caps count them with the most that they can cost."""


def submission_row(
    batch_manifest: pa.Table, outcomes: pa.Table, facts: SubmissionFacts, *, was_posted: bool, may_have_run: bool
) -> dict[str, object]:
    """A row of SUBMISSIONS_SCHEMA for a closed submission.

    ``was_posted``: a create was about to be sent for it; ``may_have_run``: a job of it is known, or may exist: what was
    released then may be billed all the same. Sums of tokens are over the records that have an answer, so that they can
    be held against each other.
    """
    table = outcomes.select(["record_key", "batch_id", "kind", "message", *BILLED, "unsure", "model_version"])
    is_released = set(table["kind"].unique().to_pylist()) == {OutcomeKind.RELEASED}
    at = pc.index_in(table["record_key"], value_set=batch_manifest["record_key"].combine_chunks())
    sent = batch_manifest.take(at.combine_chunks())
    answered = table["prompt_tokens"].is_valid().to_numpy(zero_copy_only=False)
    used = {name: pc.fill_null(table[name], 0).to_numpy() for name in BILLED}
    perhaps = _PERHAPS_BILLED | ({OutcomeKind.RELEASED} if may_have_run else set())
    is_perhaps = pc.is_in(table["kind"], value_set=pa.array([kind.value for kind in perhaps], pa.string()))
    # An error is not billed; an error beside a response may be.
    is_unsure = pc.or_(is_perhaps, pc.fill_null(table["unsure"], False))
    unsure = is_unsure.to_numpy(zero_copy_only=False) & ~answered
    return {
        "submission_id": facts.submission_id,
        "created_at": facts.created_at,
        "closed_at": outcomes["settled_at"][0].as_py(),
        "settlement": outcomes["settlement"][0].as_py(),
        "model": facts.model,
        "answered_by": ", ".join(other_models(outcomes)) or None,
        "retires_at": first_retirement(outcomes),
        "way_of_asking": way_of_asking(facts),
        "batch_id": table["batch_id"][0].as_py(),
        "released": is_released,
        "was_posted": was_posted,
        # A create that Gemini answered with "not now" is the one that sent nothing.
        "was_sent": was_posted and (may_have_run or not is_released),
        "records": len(table),
        "succeeded": int(
            pc.sum(pc.is_in(table["kind"], value_set=pa.array([kind.value for kind in ANSWERED_WELL]))).as_py()
        ),
        "service_errors": int(pc.sum(pc.equal(table["kind"], OutcomeKind.SERVICE_ERROR.value)).as_py()),
        "cause": main_cause(table),
        "answers": int(np.count_nonzero(answered)),
        "estimated_image_tokens": _sum(sent, "estimated_image_tokens", answered),
        "estimated_text_tokens": _sum(sent, "estimated_text_tokens", answered),
        **{name: int(values.sum()) for name, values in used.items()},
        "estimated_usd": _usd_sum(sent, "estimated_usd"),
        "usd": _billed_usd(facts, table["model_version"], used),
        "unsure": int(np.count_nonzero(unsure)),
        "unsure_usd": _usd_sum(sent.filter(pa.array(unsure)), "max_usd") if facts.price is not None else None,
    }


def _billed_usd(
    facts: SubmissionFacts, versions: pa.ChunkedArray, used: Mapping[str, npt.NDArray[np.int64]]
) -> float | None:
    """Each answer at the price of the model that gave it; None where one of them is not known."""
    if facts.price is None and not any(values.any() for values in used.values()):
        return None
    total = 0.0
    for version in versions.unique().to_pylist():
        is_its = pc.equal(versions, version) if version is not None else pc.is_null(versions)
        at = pc.fill_null(is_its, False).to_numpy(zero_copy_only=False)
        tokens = {name: int(values[at].sum()) for name, values in used.items()}
        price = facts.price_of(version)
        if price is None and any(tokens.values()):
            return None
        if price is not None:
            total += price.usd(
                input_tokens=tokens["prompt_tokens"],
                output_tokens=tokens["output_tokens"] + tokens["thoughts_tokens"],
                cached_tokens=tokens["cached_tokens"],
            )
    return total


def answers_usd(facts: SubmissionFacts, outcomes: pa.Table) -> float | None:
    """What these answers have cost, in US dollars; None where no price is known. ``outcomes``: BILLED and
    model_version."""
    used = {name: pc.fill_null(outcomes[name], 0).to_numpy() for name in BILLED}
    return _billed_usd(facts, outcomes["model_version"], used) if len(outcomes) else 0.0


def answer_costs(facts: SubmissionFacts, outcomes: pa.Table) -> pa.Array:
    """The same of each of them by itself, null where no price is known."""
    used = [pc.fill_null(outcomes[name], 0).to_pylist() for name in BILLED]
    prices = {version: facts.price_of(version) for version in outcomes["model_version"].unique().to_pylist()}
    costs = []
    for version, asked, answered, thought, cached in zip(outcomes["model_version"].to_pylist(), *used, strict=True):
        price = prices[version]
        tokens = {"input_tokens": asked, "output_tokens": answered + thought, "cached_tokens": cached}
        costs.append(None if price is None else price.usd(**tokens))
    return pa.array(costs, pa.float64())


def way_of_asking(facts: SubmissionFacts) -> str:
    """What answers must have in common so that their lengths tell something of the next ones, as text."""
    return json.dumps(
        [facts.model, facts.prompt_hash, facts.response_schema_hash, facts.context_mode, facts.generation_config],
        sort_keys=True,
    )


_OF_SPENT = ["submission_id", "created_at", "released", "usd", "unsure", "unsure_usd", "model"]
_OF_SPENT += ["prompt_tokens", "output_tokens", "thoughts_tokens", "cached_tokens"]
CAPS = ("max_usd_per_run", "max_usd_per_day", "max_usd_total")
"""The settings of the section budget that are caps."""


@dataclass(frozen=True, slots=True)
class Spent:
    """US dollars of one submission; of several ``submission_id`` is "", and ``created_at`` that of the first. ``usd``:
    what its answers cost; ``open_usd``: the most that can be added while it is in flight; ``unsure_usd``: the most that
    those records can have cost of which nobody knows, ``unsure``: how many they are."""

    submission_id: str
    created_at: datetime
    usd: float
    open_usd: float = 0.0
    unsure_usd: float = 0.0
    unsure: int = 0


@dataclass(frozen=True, slots=True)
class Cap:
    """``name``: the setting; ``usd``: its value; ``spent_usd``: what answers have cost; ``open_usd``: what is in flight
    can cost at most; ``unsure_usd``: what that can have cost at most of which nobody knows."""

    name: str
    usd: float
    spent_usd: float
    open_usd: float
    unsure_usd: float = 0.0

    @property
    def room_usd(self) -> float:
        return self.usd - self.spent_usd - self.open_usd - self.unsure_usd


def spending(
    closed: pa.Table,
    in_flight: Iterable[tuple[SubmissionFacts, pa.Table]],
    price_of: Callable[[str, date], Price | None],
    *,
    since: datetime | None = None,
) -> list[Spent]:
    """Every submission with its dollars; what was made before ``since`` as one sum, as long as its price is known.
    ``closed``: SUBMISSIONS_SCHEMA; ``in_flight``: facts and batch manifest of
    each that is open, whether anybody has claimed it or not. ``price_of``: the price of a model on a day (UTC), for
    what was sent without one; None: it counts nothing."""
    found = list[Spent]()
    late = closed["submission_id"].filter(pc.ends_with(closed["submission_id"], LATE))
    answered_late = {submission_of(name) for name in late.to_pylist()}
    if since is not None:
        is_old = pc.and_(pc.less(closed["created_at"], pa.scalar(since, _MOMENT)), closed["usd"].is_valid())
        found += _summed(closed.filter(is_old), answered_late)
        closed = closed.filter(pc.invert(is_old))
    for row in closed.select(_OF_SPENT).to_pylist():
        usd, unsure, unsure_usd = row["usd"], row["unsure"], row["unsure_usd"]
        if row["released"] and row["submission_id"] in answered_late:
            # What its job has cost is known by now, in a row of its own.
            unsure, unsure_usd = 0, 0.0
        if usd is None and (price := price_of(row["model"], row["created_at"].date())) is not None:
            usd = price.usd(
                input_tokens=row["prompt_tokens"],
                output_tokens=row["output_tokens"] + row["thoughts_tokens"],
                cached_tokens=row["cached_tokens"],
            )
        found.append(
            Spent(row["submission_id"], row["created_at"], usd or 0.0, unsure_usd=unsure_usd or 0.0, unsure=unsure)
        )
    for facts, table in in_flight:
        found.append(Spent(facts.submission_id, facts.created_at, 0.0, _usd_sum(table, "max_usd") or 0.0))
    return found


def _summed(closed: pa.Table, answered_late: Collection[str]) -> list[Spent]:
    if not len(closed):
        return []
    known = pc.is_in(closed["submission_id"], value_set=pa.array(sorted(answered_late), pa.string()))
    unsure = closed.filter(pc.invert(pc.and_(closed["released"], known)))
    usd, unsure_usd, count = (
        pc.sum(column, min_count=0).as_py() for column in (closed["usd"], unsure["unsure_usd"], unsure["unsure"])
    )
    return [Spent("", pc.min(closed["created_at"]).as_py(), usd, unsure_usd=unsure_usd, unsure=count)]


def spent_by_tries(tries: Iterable[Try]) -> list[Spent]:
    """What pages have cost that a person had read at once. One of which nobody knows it counts with the most that it
    can have cost."""
    return [
        Spent(each.try_id, each.at, 0.0, unsure_usd=each.max_usd or 0.0, unsure=1)
        if each.answer is None or each.answer.usd is None
        else Spent(each.try_id, each.at, each.answer.usd)
        for each in tries
    ]


WINDOW = timedelta(minutes=10)
"""Google's own spending limit is one of any 10 minutes."""


def sent_usd(closed: pa.Table, in_flight: Iterable[tuple[SubmissionFacts, pa.Table]], *, since: datetime) -> float:
    """What was sent after ``since`` is expected to cost, in US dollars; what has no price counts nothing. ``closed``:
    SUBMISSIONS_SCHEMA; ``in_flight``: as for `spending`. What is dated far ahead is of a clock that was wrong: it would
    hold back until that day."""
    until = since + 2 * WINDOW
    created, (first, last) = closed["created_at"], (pa.scalar(each, _MOMENT) for each in (since, until))
    is_recent = pc.and_(pc.greater(created, first), pc.less(created, last))
    recent = closed.filter(pc.and_(closed["was_sent"], is_recent))
    of_open = (table["estimated_usd"] for facts, table in in_flight if since < facts.created_at < until)
    return float(sum(pc.sum(each, min_count=0).as_py() for each in (recent["estimated_usd"], *of_open)))


def caps(spent: Iterable[Spent], limits: Mapping[str, float], *, run_started_at: datetime, day: date) -> list[Cap]:
    """The caps that are set. ``limits``: those of CAPS that are, in US dollars. A submission counts for the day (UTC)
    and the run in which it was made. One of the next day was made today, by a clock that was set back since."""
    everything = list(spent)
    days = (day, day + timedelta(days=1))
    counted = {
        "max_usd_per_run": [each for each in everything if each.created_at >= run_started_at],
        "max_usd_per_day": [each for each in everything if each.created_at.date() in days],
        "max_usd_total": everything,
    }
    return [
        Cap(
            f"budget.{name}",
            limit,
            sum(each.usd for each in counted[name]),
            sum(each.open_usd for each in counted[name]),
            sum(each.unsure_usd for each in counted[name]),
        )
        for name, limit in limits.items()
    ]


def tightest(found: Iterable[Cap]) -> Cap | None:
    """The cap with the least room; None if there is no cap."""
    return min(found, key=lambda cap: cap.room_usd, default=None)


def room_of(cap: Cap | None) -> float:
    """Dollars; infinite without a cap. A hair less than there is, so that sums of binary fractions pass no cap."""
    return inf if cap is None else cap.room_usd - 1e-9


def _sum(table: pa.Table, name: str, where: npt.NDArray[np.bool_]) -> int:
    return int(table[name].to_numpy()[where].sum())


def _usd_sum(table: pa.Table, name: str) -> float | None:
    """None where the dollars are not known."""
    return None if table[name].null_count else float(pc.sum(table[name], min_count=0).as_py())

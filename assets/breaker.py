"""The breaker: when so much fails that sending more would only burn money, nothing is sent until a person says so.
Derived from the closed submissions; what a person has let go of stands in a file of its own.
"""

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.settlements import by_settlement

RESET = "quire reset-breaker lets go"


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """The settings: batches in a row without a success, and the share of the last ``window_records`` outcomes that may
    fail."""

    max_failed_batches_in_a_row: int
    max_failure_rate: float
    window_records: int


@dataclass(frozen=True, slots=True)
class Reset:
    """A person lets go of it. ``at``: UTC; ``settlement``: the number of the last settlement by then, which the clock
    has no part in; None in a file from before there were numbers."""

    at: datetime
    settlement: int | None


def open_breaker(closed: pa.Table, rules: BreakerRules, *, reset: Reset | None) -> str | None:
    """Why nothing is to be sent, in a line, or None.

    ``closed``: SUBMISSIONS_SCHEMA of `assets.spending`. ``reset``: the last one; what was closed by then does not
    count. A submission that was never at Gemini counts neither as a success nor as a failure.
    """
    sent = closed.filter(closed["was_sent"])
    if reset is not None:
        sent = sent.filter(_later(sent, reset))
    in_order = sent.sort_by(by_settlement("closed_at"))
    rows = in_order.select(["submission_id", "records", "succeeded"]).to_pylist()
    in_a_row = 0
    for row in reversed(rows):
        if row["succeeded"]:
            break
        in_a_row += 1
    if in_a_row >= rules.max_failed_batches_in_a_row:
        return (
            f"safety.max_failed_batches_in_a_row: the last {in_a_row} batches had not one success, the newest is "
            f"{rows[-1]['submission_id']}; {RESET}"
        )
    records = failed = 0
    for row in reversed(rows):
        records += row["records"]
        failed += row["records"] - row["succeeded"]
        if records >= rules.window_records:
            break
    if records >= rules.window_records and failed > rules.max_failure_rate * records:
        return f"safety.max_failure_rate: {failed} of the last {records} records failed; {RESET}"
    return None


def _later(sent: pa.Table, reset: Reset) -> pa.ChunkedArray:
    if reset.settlement is not None:
        return pc.fill_null(pc.greater(sent["settlement"], reset.settlement), False)
    # Of a Quire before there were numbers: what has one was settled by a later one.
    moment = pa.scalar(reset.at, sent.schema.field("closed_at").type)
    return pc.or_(sent["settlement"].is_valid(), pc.greater(sent["closed_at"], moment))

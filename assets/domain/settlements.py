"""Which of two settlements came later. Told by a number that each outcomes file is given when it is created, under the
ledger's lock, and never by a clock: a clock can be set back between the two. Files from before there were numbers came
before all that have one, in the order of their times.
"""

from datetime import datetime

from assets.domain.batch import submission_of


def order_of(settlement: int | None, settled_at: datetime, name: str) -> tuple[int, datetime, str, str]:
    """Sorts outcomes, the latest last. ``settlement``: their number, from 1, None where they have none; ``name``: of
    their file."""
    return settlement or 0, settled_at, submission_of(name), name


def by_settlement(time: str) -> list[tuple[str, str, str]]:
    """The same as sort keys of ``pa.Table.sort_by``, for a table with the columns settlement, ``time`` and
    submission_id."""
    return [(name, "ascending", "at_start") for name in ("settlement", time, "submission_id")]

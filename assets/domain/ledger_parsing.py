"""The Variables' values, checked and decoded into a `Ledger`. Whatever cannot be understood stops the pass here, with
an error that names the Variable, the entry and the way out. How a ledger changes stands in `assets.domain.ledger`.
"""

from collections.abc import Mapping

from assets.domain.counts import Counts, Run
from assets.domain.errors import WAY_BACK, LedgerError, RecordKeyError
from assets.domain.ledger import (
    ACTIVE,
    COUNTS,
    EMPTY_VALUES,
    HOME,
    MAX_COUNT,
    PAGED,
    Ledger,
    check_active,
    kind_of,
    page_number,
)
from assets.domain.record import decode_span


def empty_ledger(prefix: str = "") -> Ledger:
    return parse_ledger({f"{prefix}{name}": value for name, value in EMPTY_VALUES.items()}, prefix=prefix)


def parse_ledger(values: Mapping[str, object], *, prefix: str = "", field_count: int | None = None) -> Ledger:
    """Check and decode. ``values``: full Variable name -> its JSON value, for all that are there; other names are
    passed over. ``field_count``: document fields in a record key.

    Raises LedgerError, naming Variable and entry, for anything that cannot be understood, and when one of the two
    authorities, ``active_batch_ids`` and ``record_failure_counts``, is missing. What a view holds is not
    looked at: nothing hangs on it, and the next pass writes it anew.
    """
    pages = {base: _page_numbers(values, prefix, base) for base in PAGED}
    for base, empty in ((ACTIVE, "[]"), (COUNTS, "{}")):
        if f"{prefix}{base}" not in values:
            raise LedgerError(
                f"{prefix}{base}",
                "it is missing, though this collection is in use",
                way_out=f"create it as {empty} if you know that nothing belongs there, otherwise {WAY_BACK}",
            )
    count_pages = {
        number: _parse_counts(name, values[name], field_count) for number, name in sorted(pages[COUNTS].items())
    }
    _check_pages_agree(count_pages, pages[COUNTS])
    single = [name for name in (f"{prefix}{HOME}", f"{prefix}{ACTIVE}") if name in values]
    names = [*single, *(name for base in PAGED for name in pages[base].values())]
    return Ledger(
        prefix=prefix,
        active=check_active(f"{prefix}{ACTIVE}", values[f"{prefix}{ACTIVE}"]),
        count_pages=count_pages,
        stored={name: values[name] for name in names},
    )


def _page_numbers(values: Mapping[str, object], prefix: str, base: str) -> dict[int, str]:
    """Page number -> full name, in order of the numbers."""
    found = {number: name for name in values if (number := page_number(name, prefix, base)) is not None}
    return dict(sorted(found.items()))


def _parse_counts(variable: str, value: object, field_count: int | None) -> Counts:
    way_out = "correct it or delete the entry"
    if not isinstance(value, dict):
        raise LedgerError(
            variable,
            f"it is {kind_of(value)}, not a map of record keys to whole numbers",
            way_out="set it to such a map, or to {} to forget the counts in it",
        )
    page = Counts()
    for entry, count in value.items():
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            problem = f"the count {count!r:.60} is no whole number of 0 or more"
            raise LedgerError(variable, problem, entry=entry, way_out=way_out)
        if count > MAX_COUNT:
            problem = f"the count is more than {MAX_COUNT:,}"
            raise LedgerError(variable, problem, entry=entry, way_out="lower it, or delete the entry")
        try:
            run = Run.of(decode_span(entry, field_count=field_count), count)
        except RecordKeyError as error:
            raise LedgerError(variable, error.reason, entry=entry, way_out=way_out) from None
        for other in page.within(run.span):
            if other.count != count:
                key = next(other.keys)
                problem = f"{key} stands there twice, with the counts {other.count} and {count}"
                raise LedgerError(variable, problem, entry=entry, way_out="delete one of the two")
        page.put(run)
    return page


def _check_pages_agree(pages: Mapping[int, Counts], names: Mapping[int, str]) -> None:
    before = Counts()
    for number, page in pages.items():
        for run in page.runs():
            for other in before.within(run.span):
                if other.count != run.count:
                    key = next(other.keys)
                    place = next(names[each] for each in pages if key in pages[each])
                    problem = f"its count is {run.count} here and {other.count} in {place}"
                    raise LedgerError(names[number], problem, entry=key, way_out="delete the one that is wrong")
        before.put_all(page)

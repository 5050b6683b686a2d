"""A ledger made from nothing, for the case that the Variables are lost: what `quire recover` writes."""

from collections.abc import Mapping, Sequence

from assets.domain.ledger import CountChange, Ledger, apply_counts, set_active, set_views
from assets.domain.ledger_parsing import empty_ledger
from assets.domain.record import entry_of


def rebuilt_ledger(prefix: str, records: Mapping[str, tuple[str, Sequence[str]]], counts: Mapping[str, int]) -> Ledger:
    """The ledger in which just ``records`` are active, and just ``counts`` stand.

    ``records``: name in the active list -> (submission id, its record keys); ``counts``: record key -> failures. Raises
    LedgerError if it does not fit.
    """
    ledger = set_views(set_active(empty_ledger(prefix), list(records)), records)
    stages = apply_counts(ledger, (CountChange(entry_of(key), 0, count) for key, count in counts.items()))
    return stages[-1] if stages else ledger

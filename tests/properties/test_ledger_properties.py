"""What holds for any ledger and any changes of it: nothing is lost at any moment, nothing outgrows its Variable."""

import json
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from assets.domain.counts import Counts
from assets.domain.ledger import (
    MAX_COUNT,
    CountChange,
    Ledger,
    apply_counts,
    page_number,
    remove_counts,
    set_active,
    set_views,
    variable_writes,
)
from assets.domain.ledger_codec import encode_counts, fits
from assets.domain.ledger_parsing import empty_ledger, parse_ledger
from assets.domain.record import decode_range, decode_ranges, entry_of
from tests.properties.keys import clustered_keys, keys

counts = st.integers(0, 4)
many_keys = st.one_of(
    clustered_keys,
    st.builds(
        lambda prefix, size, step: [f"{prefix}:{n // 40}:1899:{1 + n % 40 * step}" for n in range(size)],
        st.sampled_from(["CA", "Ünïversity of the Sacred Heart of the Immaculate Conception"]),
        st.integers(100, 700),
        st.integers(1, 2),
    ),
)
"""A few keys, or so many that they need ranges or further pages."""


@st.composite
def change_lists(draw: st.DrawFn) -> list[list[CountChange]]:
    """Rounds of changes to the same keys, each computed from what the round before left, but for some slips."""
    chosen = draw(many_keys)
    seed = draw(st.randoms(use_true_random=False))
    rounds: list[list[CountChange]] = []
    current: dict[str, int] = {}
    for _ in range(draw(st.integers(1, 4))):
        share = seed.choice([0.1, 0.5, 1.0])
        changes = []
        for key in map(entry_of, chosen):
            if seed.random() < share:
                before = current.get(key, 0) if seed.random() < 0.9 else seed.randint(0, 4)
                changes.append(CountChange(key, before, seed.choice([before + 1, before + 1, 0, 1000])))
        rounds.append(changes)
        current |= {change.key: change.after for change in changes if current.get(change.key, 0) == change.before}
    return rounds


def expected_after(counts: Mapping[str, int], changes: list[CountChange]) -> dict[str, int]:
    after = dict(counts)
    for change in changes:
        [key] = decode_range(change.key)
        if after.get(key, 0) == change.before:
            after[key] = change.after
    return {key: count for key, count in after.items() if count}


def moments(start: Ledger, stages: list[Ledger]) -> Iterator[Ledger]:
    """What another process could read after each single write, in the order of the names and against it."""
    for backwards in (False, True):
        before, written = start, dict(start.stored)
        for stage in stages:
            for name, value in sorted(variable_writes(before, stage).items(), reverse=backwards):
                if value is None:
                    del written[name]
                else:
                    assert fits(value), name
                    written[name] = json.loads(json.dumps(value))
                yield parse_ledger(written, field_count=3)
            before = stage


@settings(deadline=None)
@given(change_lists())
def test_changes_do_what_they_say_and_lose_nothing_at_any_moment(rounds: list[list[CountChange]]) -> None:
    ledger = empty_ledger()
    for changes in rounds:
        wanted = expected_after(ledger.counts, changes)
        stages = apply_counts(ledger, changes)
        for moment in moments(ledger, stages):
            for key in ledger.counts.keys() | wanted.keys():
                assert moment.counts.get(key, 0) in (ledger.counts.get(key, 0), wanted.get(key, 0))
        after = stages[-1] if stages else ledger
        assert after.counts == wanted
        assert parse_ledger(after.stored, field_count=3) == after
        ledger = after


@settings(deadline=None)
@given(change_lists())
def test_applying_changes_twice_is_applying_them_once(rounds: list[list[CountChange]]) -> None:
    ledger = empty_ledger()
    for changes in rounds:
        stages = apply_counts(ledger, changes)
        ledger = stages[-1] if stages else ledger
        assert apply_counts(ledger, [change for change in changes if change.after > change.before]) == []


@settings(deadline=None)
@given(change_lists())
def test_a_count_stays_on_its_page_unless_that_overflows(rounds: list[list[CountChange]]) -> None:
    ledger = empty_ledger()
    for changes in rounds:
        stages = apply_counts(ledger, changes)
        after = stages[-1] if stages else ledger
        for number, page in ledger.count_pages.items():
            grown = {key: after.counts[key] for key in page if key in after.counts}
            if len(stages) <= 1:
                assert grown.keys() <= after.count_pages[number].keys()
            elif not grown.keys() <= after.count_pages[number].keys():
                assert not fits(encode_counts(Counts.of(grown | dict(after.count_pages[number]))))
        ledger = after


@settings(deadline=None)
@given(change_lists(), st.randoms(use_true_random=False))
def test_prune_takes_out_what_it_is_told_and_loses_nothing_else(rounds: list[list[CountChange]], seed: Random) -> None:
    ledger = empty_ledger()
    for changes in rounds:
        stages = apply_counts(ledger, changes)
        ledger = stages[-1] if stages else ledger
    gone = {key for key in ledger.counts if seed.random() < 0.6}
    stages = remove_counts(ledger, gone)
    kept = {key: count for key, count in ledger.counts.items() if key not in gone}
    for moment in moments(ledger, stages):
        assert moment.counts.items() >= kept.items()
        assert moment.counts.items() <= ledger.counts.items()
    after = stages[-1] if stages else ledger
    assert after.counts == kept
    assert len(after.count_pages) <= len(ledger.count_pages)
    assert all(page for number, page in after.count_pages.items() if number > 1)
    assert remove_counts(after, gone) == []


@settings(deadline=None)
@given(st.lists(many_keys, max_size=30))
def test_views_fit_and_say_where_every_record_is(batches: list[list[str]]) -> None:
    records = {f"batches/{n:036d}": (f"01jd{n:022d}", [f"{n}{key}" for key in some]) for n, some in enumerate(batches)}
    ledger = set_views(empty_ledger(), records)
    by_reference = {f"@{submission_id}": some for submission_id, some in records.values()}
    by_batch = {name: entries for page in _pages_of(ledger, "batch_record_keys") for name, entries in page.items()}
    for name, (_, some) in records.items():
        assert set(_resolved(by_batch[name], by_reference)) == set(some)
    in_flight = [entry for page in _pages_of(ledger, "inflight_record_ids") for entry in page]
    assert set(_resolved(in_flight, by_reference)) == {key for _, some in records.values() for key in some}
    assert all(fits(value) for value in ledger.stored.values())
    assert parse_ledger(ledger.stored, field_count=3) == ledger
    back = set_views(ledger, {})
    assert variable_writes(empty_ledger(), back) == {}


def _pages_of(ledger: Ledger, view: str) -> list[Any]:
    return [value for name, value in ledger.stored.items() if page_number(name, "", view) is not None]


def _resolved(entries: Sequence[str], references: Mapping[str, Sequence[str]]) -> list[str]:
    plain = [entry for entry in entries if entry not in references]
    return decode_ranges(plain) + [key for entry in entries for key in references.get(entry, ())]


@given(st.dictionaries(keys, st.integers(0, MAX_COUNT), max_size=20))
def test_what_a_person_types_is_read_back(typed: dict[str, int]) -> None:
    entries = {entry_of(key): count for key, count in typed.items()}
    ledger = parse_ledger({"active_batch_ids": [], "record_failure_counts": entries}, field_count=3)
    assert ledger.counts == {key: count for key, count in typed.items() if count}


@given(st.lists(st.from_regex(r"\Abatches/[a-z0-9]{8,36}\Z"), unique=True, max_size=40))
def test_the_active_list_keeps_its_order(names: list[str]) -> None:
    ledger = set_active(empty_ledger(), names)
    assert parse_ledger(ledger.stored).active == tuple(names)
    assert set(variable_writes(empty_ledger(), ledger)) == ({"active_batch_ids"} if names else set())

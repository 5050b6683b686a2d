"""What the Variables may hold, what is refused and how it is said, and what a change makes of them."""

import pytest

from assets.domain.errors import LedgerError
from assets.domain.ledger import (
    MAX_COUNT,
    CountChange,
    Ledger,
    apply_counts,
    collection_prefix,
    remove_counts,
    set_active,
    set_views,
    variable_names,
    variable_writes,
)
from assets.domain.ledger_codec import encoded_bytes
from assets.domain.ledger_parsing import empty_ledger, parse_ledger

SUBMISSION = "01jd0000000000000000000000"
EMPTY: dict[str, object] = {"active_batch_ids": [], "record_failure_counts": {}}


def parsed(**values: object) -> Ledger:
    return parse_ledger({**EMPTY, **values}, field_count=3)


def test_ranges_typed_by_hand_are_read_and_leading_zeros_do_not_count() -> None:
    ledger = parsed(record_failure_counts={"CA:Lincoln:2023:1-03": 2, "CA:Lincoln:2023:0007": 1})
    assert ledger.counts == {
        "CA:Lincoln:2023:1": 2,
        "CA:Lincoln:2023:2": 2,
        "CA:Lincoln:2023:3": 2,
        "CA:Lincoln:2023:7": 1,
    }


def test_a_count_of_zero_is_no_count() -> None:
    ledger = parsed(record_failure_counts={"CA:Lincoln:2023:4": 0})
    assert ledger.counts == {}
    (after,) = apply_counts(ledger, [CountChange("CA:Lincoln:2023:4", 0, 1)])
    assert after.stored["record_failure_counts"] == {"CA:Lincoln:2023:4": 1}


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        (
            "record_failure_counts",
            {"CA:Lincoln:2023:4": "two"},
            "Variable record_failure_counts, entry 'CA:Lincoln:2023:4': the count 'two' is no whole number "
            "of 0 or more; correct it or delete the entry",
        ),
        ("record_failure_counts", {"CA:Lincoln:2023:4": True}, "the count True is no whole number"),
        ("record_failure_counts", {"CA:Lincoln:2023:4": 2.0}, "the count 2.0 is no whole number"),
        ("record_failure_counts", {"CA:Lincoln:2023:4": -1}, "the count -1 is no whole number"),
        ("record_failure_counts", {"CA:Lincoln:2023:4": None}, "the count None is no whole number"),
        ("record_failure_counts", {"CA:Lincoln:2023:4": 10**12}, "the count is more than 1,000,000; lower it"),
        ("record_failure_counts", [], "it is a list, not a map of record keys to whole numbers; set it to such a map"),
        ("record_failure_counts", "{}", "it is a text, not a map"),
        ("record_failure_counts", None, "it is null, not a map"),
        (
            "record_failure_counts",
            {"CA:2023:4": 1},
            "'CA:2023:4': it has 2 document fields, this collection has 3",
        ),
        ("record_failure_counts", {"CA:Lincoln:2023:.x": 1}, "the page label '.x' begins with '.'"),
        ("record_failure_counts", {"CA:../x:2023:1": 1}, "a field holds the path separator '/'"),
        ("record_failure_counts", {"CA:Lincoln:2023:9-3": 1}, "the range ends before it begins"),
        (
            "record_failure_counts",
            {"CA:Lincoln:2023:1-4": 1, "CA:Lincoln:2023:3": 2},
            "entry 'CA:Lincoln:2023:3': CA:Lincoln:2023:3 stands there twice, with the counts 1 and 2; delete one",
        ),
        ("record_failure_counts_2", {"CA:Lincoln:2023:4": "two"}, "Variable record_failure_counts_2, entry"),
        ("active_batch_ids", {}, "it is a map, not a list"),
        ("active_batch_ids", [1], "entry 'number 1': a number is no batch id"),
        ("active_batch_ids", ["batches/a", "batches/a"], "entry 'batches/a': it stands there twice"),
        ("active_batch_ids", ["submitting/abc"], "entry 'submitting/abc': it is neither a batch id"),
        ("active_batch_ids", ["batches/"], "it is neither a batch id"),
        ("active_batch_ids", ["batches/a b"], "it is neither a batch id"),
    ],
)
def test_what_cannot_be_understood_is_named_in_one_line(variable: str, value: object, message: str) -> None:
    with pytest.raises(LedgerError) as raised:
        parsed(**{variable: value})
    assert message in str(raised.value)
    assert str(raised.value).startswith(f"Variable {variable}")
    assert "\n" not in str(raised.value)
    assert raised.value.variable == variable
    assert raised.value.way_out


@pytest.mark.parametrize("view", ["batch_record_keys", "inflight_record_ids", "inflight_record_ids_2"])
@pytest.mark.parametrize("value", [{}, [], "all", None, [1], ["x"], {"batches/a": ["CA:Lincoln:2023:1-1000000"]}])
def test_whatever_a_view_holds_it_is_not_read_and_is_written_anew(view: str, value: object) -> None:
    ledger = parsed(**{view: value})
    records = {"batches/a": ("01jd0000000000000000000001", ["CA:Lincoln:2023:1"])}

    assert set_views(ledger, records).stored == set_views(parsed(), records).stored


def test_ranges_of_millions_stay_ranges_whatever_is_done_with_them() -> None:
    """That nothing unfolds is seen by the memory: two hundred million keys would take twenty gigabytes."""
    ledger = parsed(record_failure_counts={f"CA:Lincoln:{year}:1-1000000": 1 for year in range(1850, 2000)})
    assert len(ledger.counts) == 150_000_000
    assert ledger.counts["CA:Lincoln:1999:1000000"] == 1

    (counted,) = apply_counts(ledger, [CountChange("CA:Lincoln:1999:500000", 1, 2), CountChange("TX:A:1:1", 0, 1)])
    (reset,) = apply_counts(counted, [CountChange("CA:Lincoln:1900:1-1000000", 1, 0)])
    (pruned,) = remove_counts(reset, ["CA:Lincoln:1850:1", "CA:Lincoln:1850:1000000"])

    written = pruned.stored["record_failure_counts"]
    assert isinstance(written, dict)
    assert next(iter(written)) == "CA:Lincoln:1850:2-999999"
    assert written["CA:Lincoln:1999:500000"] == 2
    assert not any(entry.startswith("CA:Lincoln:1900:") for entry in written)
    assert len(pruned.counts) == 149_000_000 - 2 + 1
    assert parse_ledger(pruned.stored, field_count=3) == pruned


def test_the_highest_count_stays_one_that_can_be_counted_on() -> None:
    key = "CA:Lincoln:2023:4"
    assert parsed(record_failure_counts={key: MAX_COUNT}).counts == {key: MAX_COUNT}
    with pytest.raises(LedgerError, match=r"entry 'CA:Lincoln:2023:4': the count is more than 1,000,000; lower it"):
        parsed(record_failure_counts={key: 2**31 - 1})


def test_a_message_carries_the_name_with_its_collection_and_no_control_characters() -> None:
    values = {"ca_active_batch_ids": [], "ca_record_failure_counts": {"CA:Lin\ncoln:2023:4" + "x" * 500: 1}}
    with pytest.raises(LedgerError, match=r"^Variable ca_record_failure_counts, entry 'CA:Lin") as raised:
        parse_ledger(values, prefix="ca_")
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 400


def test_the_same_key_on_two_pages_must_have_the_same_count() -> None:
    key = "CA:Lincoln:2023:4"
    assert parsed(record_failure_counts={key: 2}, record_failure_counts_3={key: 2}).counts == {key: 2}
    with pytest.raises(LedgerError, match=r"record_failure_counts_3, entry .*: its count is 1 here and 2 in rec"):
        parsed(record_failure_counts={key: 2}, record_failure_counts_3={key: 1})


def test_other_variables_are_passed_over() -> None:
    ledger = parsed(quire_home="x", record_failure_counts_x=3, other_record_failure_counts="?", note="hello")
    assert set(ledger.stored) == {*EMPTY, "quire_home"}


@pytest.mark.parametrize("missing", list(EMPTY))
def test_an_authority_may_not_be_missing(missing: str) -> None:
    with pytest.raises(LedgerError, match=f"Variable {missing}: it is missing"):
        parse_ledger({name: value for name, value in EMPTY.items() if name != missing})


def test_counts_are_plain_keys_while_they_fit_and_ranges_after_that() -> None:
    keys = [f"CA:Lincoln:2023:{page}" for page in range(1, 1001)]
    (few,) = apply_counts(empty_ledger(), [CountChange(key, 0, 1) for key in keys[:100]])
    assert few.stored["record_failure_counts"] == dict.fromkeys(keys[:100], 1)
    (many,) = apply_counts(few, [CountChange(key, 0, 1) for key in keys])
    assert many.stored["record_failure_counts"] == {"CA:Lincoln:2023:1-1000": 1}
    assert many.counts == dict.fromkeys(keys, 1)


def test_a_page_of_ranges_that_breaks_apart_is_spread_without_a_moment_of_loss() -> None:
    keys = [f"CA:Lincoln:2023:{page}" for page in range(1, 1001)]
    (whole,) = apply_counts(empty_ledger(), [CountChange(key, 0, 1) for key in keys])
    stages = apply_counts(whole, [CountChange(key, 1, 2) for key in keys[::2]])
    assert len(stages) == 3
    for before, after in zip([whole, *stages], stages, strict=False):
        written = dict(before.stored)
        for name, value in variable_writes(before, after).items():
            written[name] = value
            assert set(parse_ledger(written).counts) == set(keys)
    assert stages[-1].counts == {key: 2 if n % 2 == 0 else 1 for n, key in enumerate(keys)}
    assert all(encoded_bytes(value) <= 5000 for stage in stages for value in stage.stored.values())


def test_prune_fills_the_first_pages_and_lets_go_of_the_empty_ones() -> None:
    values = {f"record_failure_counts_{n}": {f"CA:Lincoln:{n}:1": n} for n in (2, 3, 7)}
    ledger = parsed(**values)
    final = remove_counts(ledger, ["CA:Lincoln:3:1"])[-1]
    assert final.stored["record_failure_counts"] == {"CA:Lincoln:2:1": 2, "CA:Lincoln:7:1": 7}
    assert set(variable_writes(ledger, final)) == {"record_failure_counts", *values}
    assert remove_counts(final, ["CA:Lincoln:3:1"]) == []


def test_a_count_that_is_reset_leaves_its_page_in_place() -> None:
    ledger = parsed(record_failure_counts_2={"CA:Lincoln:2023:4": 3})
    (after,) = apply_counts(ledger, [CountChange("CA:Lincoln:2023:4", 3, 0)])
    assert after.stored["record_failure_counts_2"] == {}


def test_a_crash_in_prune_is_tidied_before_a_count_changes() -> None:
    key = "CA:Lincoln:2023:4"
    ledger = parsed(record_failure_counts={key: 1}, record_failure_counts_2={key: 1})
    tidied, changed = apply_counts(ledger, [CountChange(key, 1, 2)])
    assert variable_writes(ledger, tidied) == {"record_failure_counts_2": {}}
    assert variable_writes(tidied, changed) == {"record_failure_counts": {key: 2}}


def test_the_longest_value_of_a_view_gives_way_first() -> None:
    scattered = [f"CA:{'x' * 60}:{year}:1" for year in range(1000, 1060)]
    ledger = set_views(
        empty_ledger(),
        {
            "batches/small": ("01jd0000000000000000000001", ["CA:Lincoln:2023:1", "CA:Lincoln:2023:2"]),
            "batches/large": ("01jd0000000000000000000002", scattered),
            "batches/middle": ("01jd0000000000000000000003", [f"TX{key[2:]}" for key in scattered[:20]]),
        },
    )
    by_batch, in_flight = ledger.stored["batch_record_keys"], ledger.stored["inflight_record_ids"]
    assert isinstance(by_batch, dict)
    assert isinstance(in_flight, list)
    assert by_batch["batches/small"] == ["CA:Lincoln:2023:1-2"]
    assert by_batch["batches/large"] == ["@01jd0000000000000000000002"]
    assert len(by_batch["batches/middle"]) == 20
    assert in_flight[0] == "CA:Lincoln:2023:1-2"
    assert in_flight[-1] == "@01jd0000000000000000000002"


def test_an_active_list_that_does_not_fit_is_refused() -> None:
    with pytest.raises(LedgerError, match=r"200 active batches do not fit .* lower execution.max_con"):
        set_active(empty_ledger(), [f"batches/{n:036d}" for n in range(200)])


def test_a_bad_active_name_never_gets_in() -> None:
    with pytest.raises(LedgerError, match="neither"):
        set_active(empty_ledger(), ["nonsense"])


def test_a_count_below_zero_is_a_bug() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        CountChange("CA:Lincoln:2023:4", 0, -1)


def test_names_are_asked_for_by_page() -> None:
    assert collection_prefix("ca") == "ca_"
    assert collection_prefix("") == ""
    assert variable_names("ca_", first_page=1, last_page=2) == [
        "ca_quire_home",
        "ca_active_batch_ids",
        "ca_record_failure_counts",
        "ca_record_failure_counts_2",
        "ca_batch_record_keys",
        "ca_batch_record_keys_2",
        "ca_inflight_record_ids",
        "ca_inflight_record_ids_2",
    ]
    assert len(variable_names("", first_page=3, last_page=4)) == 6


def test_counts_may_grow_to_three_digits_where_they_stand() -> None:
    keys = [f"CA:School {n}:2023:{n}" for n in range(1, 601)]
    (first,) = apply_counts(empty_ledger(), [CountChange(key, 0, 1) for key in keys])
    assert len(first.count_pages) > 2
    (grown,) = apply_counts(first, [CountChange(key, 1, 999) for key in keys])
    assert {n: set(page) for n, page in grown.count_pages.items()} == {
        n: set(page) for n, page in first.count_pages.items()
    }
    assert all(encoded_bytes(value) <= 5000 for value in grown.stored.values())


def test_views_keep_plain_keys_up_to_the_last_byte() -> None:
    name = "batches/aé"
    seen = set()
    for padding in range(1, 61):
        keys = [f"CA:{'x' * 48}:{year}:1" for year in range(1000, 1081)] + [f"CA:{'y' * padding}:1:1"]
        stored = set_views(empty_ledger(), {name: (SUBMISSION, keys)}).stored
        for variable, plain in (("batch_record_keys", {name: keys}), ("inflight_record_ids", keys)):
            does_fit = encoded_bytes(plain) <= 5000
            assert (stored[variable] == plain) == does_fit
            seen.add((variable, does_fit))
    assert len(seen) == 4


@pytest.mark.parametrize("width", range(8, 60))
def test_pages_of_a_view_are_filled_and_never_too_full(width: int) -> None:
    records = {
        f"batches/{n:0{width}d}": (f"01jd{n:022d}", [f"CA:{n}:{year}:1" for year in range(1000, 1040)])
        for n in range(200)
    }
    stored = set_views(empty_ledger(), records).stored
    first, second = stored["batch_record_keys"], stored["batch_record_keys_2"]
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert encoded_bytes(first) <= 5000 < encoded_bytes({**first, **dict(list(second.items())[:1])})
    in_flight, rest = stored["inflight_record_ids"], stored["inflight_record_ids_2"]
    assert isinstance(in_flight, list)
    assert isinstance(rest, list)
    assert encoded_bytes(in_flight) <= 5000 < encoded_bytes([*in_flight, rest[0]])

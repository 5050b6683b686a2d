"""The runner of the benchmarks, on rows whose sides are small scripts."""

from pathlib import Path

import pytest

from benchmarks.results import FULL, PAGE, page_parts, page_with, read_kept, table, troubles
from benchmarks.rows import PEAK, Bar, Row, Sense, Taken
from benchmarks.run import SideError, all_rows, chosen, run_row

PRINTS = "import json, sys; print(json.dumps({{'n': {n}, 'calls': int(sys.argv[1]), 'wall_seconds': {seconds}}}))"
"""A side that says itself what it took."""


def side(seconds: float, n: int = 3) -> tuple[str, ...]:
    return "-c", PRINTS.format(n=n, seconds=seconds).replace("{", "{{").replace("}", "}}"), "{calls}"


def row(*bars: Bar, ours: float = 4.0, theirs: float = 2.0, their_n: int = 3) -> Row:
    return Row("trial", "work", "a script", bars, side(ours), side(theirs, their_n), size={"calls": 7}, repeats=2)


BARS = (
    Bar(1.5),
    Bar(0.4, Sense.AT_LEAST, taken=Taken.SPEED),
    Bar(7, of="calls", taken=Taken.ALONE, unit="calls"),
    Bar(1e12, of=PEAK, taken=Taken.ALONE),
)


def test_a_row_is_measured_in_pairs_and_held_against_its_bars(tmp_path: Path) -> None:
    trial = row(*BARS)
    kept = run_row(trial, tmp_path, is_quick=False)
    assert kept["pairs"] == 2
    assert kept["ours"]["wall_seconds"] == [4.0, 4.0, 4.0]
    assert list(kept["bars"].values())[:3] == [[2.0] * 3, [0.5] * 3, [7.0] * 3]
    assert kept["ours"]["peak_bytes"][0] > 1e6
    assert troubles(trial, kept, None, is_quick=False) == ["trial: 2 times, the bar is at most 1.5 times"]
    assert troubles(trial, kept, None, is_quick=True) == []


def test_a_figure_that_is_more_than_a_quarter_worse_than_the_committed_one_is_told(tmp_path: Path) -> None:
    trial = row(Bar(10.0), Bar(0.1, Sense.AT_LEAST, taken=Taken.SPEED))
    now = run_row(trial, tmp_path, is_quick=False)
    better = {**now, "bars": {"wall_seconds: ours / theirs": [1.5] * 3, "wall_seconds: theirs / ours": [0.7] * 3}}
    assert troubles(trial, now, better, is_quick=True) == [
        "trial: 2 times, was 1.5 times in the committed results",
        "trial: 0.5 times, was 0.7 times in the committed results",
    ]
    assert troubles(trial, now, {**better, "size": {"calls": 8}}, is_quick=True) == []
    nearly = {**now, "bars": {"wall_seconds: ours / theirs": [1.7] * 3, "wall_seconds: theirs / ours": [0.6] * 3}}
    assert troubles(trial, now, nearly, is_quick=True) == []


def test_sides_that_did_not_do_the_same_are_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(SideError, match="ours did 3, theirs 4"):
        run_row(row(Bar(1.5), their_n=4), tmp_path, is_quick=False)


def test_a_side_that_fails_is_told_with_what_it_said(tmp_path: Path) -> None:
    broken = Row("broken", "work", "nothing", (Bar(1.0),), ("-c", "raise SystemExit('no disk')"))
    with pytest.raises(SideError, match="no disk"):
        run_row(broken, tmp_path, is_quick=False)


def test_data_is_made_once_for_both_sides(tmp_path: Path) -> None:
    makes = "import pathlib, sys; (pathlib.Path(sys.argv[1]) / 'made').open('x').write('whole')"
    reads = "import pathlib, sys; assert (pathlib.Path(sys.argv[1]) / 'made').read_text() == 'whole'"
    trial = Row("d", "w", "a", (Bar(99.0),), ("-c", reads, "{data}"), ("-c", reads, "{data}"), ("-c", makes, "{data}"))
    run_row(trial, tmp_path, is_quick=True)
    run_row(trial, tmp_path, is_quick=True)


def test_rows_are_chosen_by_their_name_or_its_beginning() -> None:
    rows = [Row(name, "w", "a", (), ("-c", "")) for name in ("scan-full", "scan-first", "scanner")]
    assert [each.name for each in chosen(rows, "scan")] == ["scan-full", "scan-first"]
    assert [each.name for each in chosen(rows, "scanner,scan-full")] == ["scan-full", "scanner"]
    with pytest.raises(SystemExit, match="no row 'settle'; there are: scan-full"):
        chosen(rows, "settle")


def test_a_row_that_was_not_measured_is_shown_as_such() -> None:
    assert "| at most 1.5 times | – |  |" in table([row(Bar(1.5))], {})


def test_names_of_rows_are_unique() -> None:
    names = [each.name for each in all_rows()]
    assert len(names) == len(set(names))


def test_the_page_has_the_tables_of_the_kept_results() -> None:
    """If not: python -m benchmarks.run --page"""
    text = PAGE.read_text(encoding="utf-8")
    kept = read_kept()
    assert page_with(text, page_parts(all_rows(), kept)) == text
    assert set(kept[FULL]) <= {each.name for each in all_rows()}

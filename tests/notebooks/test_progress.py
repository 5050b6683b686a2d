"""The picture of progress, without a kernel: which documents it shows, and how they are labelled."""

from datetime import UTC, datetime
from io import BytesIO

import pandas as pd

from assets.candidates import STATES
from assets.outcomes import OUTCOME_SCHEMA
from config.settings import Settings
from flows.questions.inspect import MAX_LABEL_CHARS, Inspection, draw_progress
from flows.questions.status import Status


def test_of_many_documents_the_least_finished_are_shown() -> None:
    # Document 1 has one record done of four, document 2 two of eight, document 3 three of twelve, ...
    rows = [
        (f"D{number}", "done" if page < done else "runnable")
        for number in range(1, 41)
        for done in [number if number <= 20 else 4 * number - 1]
        for page in range(4 * number)
    ]
    progress = _inspection(rows).progress()

    figure = draw_progress(progress)

    [axes] = figure.axes
    assert axes.get_title(loc="left") == "Progress per document: the 30 least finished of 40"
    shown = [label.get_text() for label in axes.get_yticklabels()]
    assert shown[:3] == ["D20", "D19", "D18"], "of equal shares, the one with most to do"
    assert shown[20] == "D21"
    assert len(shown) == 30
    assert progress.loc["D20"].to_dict() == {
        "done": 20, "inflight": 0, "runnable": 60, "waiting": 0, "postponed": 0, "held": 0, "dead": 0, "records": 80,
    }  # fmt: skip


def test_names_of_documents_are_no_formulas_and_not_endless() -> None:
    figure = draw_progress(
        _inspection([(r"CA:$\frac{:1901", "done"), ("TX:" + "x" * 200 + ":1901", "dead")]).progress()
    )

    figure.savefig(BytesIO())
    [axes] = figure.axes
    long, formula = [label.get_text() for label in axes.get_yticklabels()]
    assert formula == r"CA:$\frac{:1901"
    assert len(long) <= MAX_LABEL_CHARS
    assert long.startswith("TX:xxx")
    assert long.endswith("xxx:1901")


def _inspection(rows: list[tuple[str, str]]) -> Inspection:
    """``rows``: (document, state) of each record."""
    states = pd.DataFrame(rows, columns=["document", "state"])
    states["state"] = states["state"].astype(pd.CategoricalDtype([str(state) for state in STATES]))
    return Inspection(
        settings=Settings(),
        read_at=datetime(2026, 11, 1, tzinfo=UTC),
        prefect_problem=None,
        status=Status(
            "",
            len(rows),
            {},
            0,
            {},
            0.0,
            0.0,
            0.0,
            0,
            (),
            (),
            {},
            {},
            (),
            (),
            {},
            None,
            None,
            {},
            0,
            0,
            {},
            0,
            0,
            0,
            0,
            0,
            (),
            0,
        ),
        states=states,
        outcomes=OUTCOME_SCHEMA.empty_table().to_pandas(),
    )

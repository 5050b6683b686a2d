"""What the notebook on quality shows, as pandas tables and pictures: which errors there were and when, what a book has
cost, pages that are far longer or shorter than those around them, languages, and how far second readings agree. For
people to look at: nothing here is acted upon, nothing is written. It reads every result.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from assets.domain.outcome import ANSWERED_WELL
from assets.domain.record import document_of
from config.settings import Settings, load_settings
from flows.gateways.files.storage import Storage
from flows.questions.comparison import findings_of
from flows.runtime.extras import require_extra
from flows.runtime.wiring import make_storage
from flows.tables.derived import kinds_table, results_table, submissions_table
from flows.tables.gold import page_texts
from flows.tables.paid import answers_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NEIGHBOURS = 5
"""A page is held against the median of so many around it, itself among them."""
FEW_WORDS = 20
"""A difference of less is none: a page with a heading and one without."""


@dataclass(frozen=True, repr=False)
class Quality:
    """``pages``: a row for each result, in the order of the pages: record_key, document, language ("" where the result
    does not say), words, near (the median of the words of the pages around it), usd (null: not known); ``kinds``: day,
    kind, records: outcomes without a result; ``readings``: run, record_key, agreement (0 to 1), of second readings."""

    settings: Settings
    pages: pd.DataFrame
    kinds: pd.DataFrame
    readings: pd.DataFrame

    def __repr__(self) -> str:
        """What a notebook shows of it."""
        books = self.pages["document"].nunique()
        return (
            f"{len(self.pages):,} results of {books:,} documents; {self.kinds['records'].sum():,} outcomes without one"
        )

    def errors(self) -> pd.DataFrame:
        """day -> records without a result, by the kind of their outcome."""
        return self.kinds.pivot_table(index="day", columns="kind", values="records", aggfunc="sum", fill_value=0)

    def costs(self) -> pd.DataFrame:
        """document -> pages, words, dollars, dollars a page; the dearest first."""
        by_book = self.pages.groupby("document", sort=False)
        table = by_book.agg(pages=("record_key", "size"), words=("words", "sum"), usd=("usd", "sum"))
        table["usd a page"] = table["usd"] / table["pages"]
        return table.sort_values("usd", ascending=False, kind="stable")

    def outliers(self) -> pd.DataFrame:
        """Pages with more than twice, or less than half, of the words around them; the farthest off first."""
        pages = self.pages
        off = pd.Series(np.log2((pages["words"] + 1) / (pages["near"] + 1)), index=pages.index)
        is_far = (off.abs() > 1) & ((pages["words"] - pages["near"]).abs() >= FEW_WORDS)
        order = off[is_far].abs().sort_values(ascending=False, kind="stable").index
        found: pd.DataFrame = pages.loc[order, ["record_key", "words", "near"]].set_index("record_key")
        return found

    def languages(self) -> pd.DataFrame:
        """document -> pages in each language, as the results say."""
        return pd.crosstab(self.pages["document"], self.pages["language"].replace("", "(not said)"))

    def agreement(self) -> pd.DataFrame:
        """run -> pages, and the least, the median and the mean of their agreement."""
        table = self.readings.groupby("run")["agreement"].agg(["size", "min", "median", "mean"])
        return table.rename(columns={"size": "pages"}).round(4)


def look(config: str | Path | None = None) -> Quality:
    """Read everything. ``config``: as for `flows.questions.inspect.look`. Raises ConfigError, ManifestError,
    OSError."""
    settings = load_settings(Path(config) if config is not None else None)
    storage = make_storage(settings)
    return Quality(settings, _pages(storage), _kinds(storage), _readings(settings, storage))


def _pages(storage: Storage) -> pd.DataFrame:
    records = storage.read_records()
    keys = records["record_key"].to_pylist() if records is not None else []
    made = results_table(storage, write=False)
    answers = answers_of(storage, made)
    usd = dict(zip(answers["record_key"].to_pylist(), answers["usd"].to_pylist(), strict=True))
    rows = [
        (key, document_of(key), page.content.language, len(page.text.split()), usd.get(key))
        for key, page in page_texts(storage, keys)
    ]
    frame = pd.DataFrame(rows, columns=["record_key", "document", "language", "words", "usd"])
    frame["usd"] = frame["usd"].astype(float)
    around = frame.groupby("document", sort=False)["words"].rolling(NEIGHBOURS, center=True, min_periods=1).median()
    frame["near"] = around.reset_index(level=0, drop=True).sort_index()
    return frame


def _kinds(storage: Storage) -> pd.DataFrame:
    kinds: pd.DataFrame = kinds_table(storage, write=False).to_pandas()
    closed: pd.DataFrame = submissions_table(storage, ["submission_id", "closed_at"], write=False).to_pandas()
    bad = kinds[~kinds["kind"].isin([each.value for each in ANSWERED_WELL])].merge(closed, on="submission_id")
    bad["day"] = bad["closed_at"].dt.date
    return bad.groupby(["day", "kind"])["records"].sum().reset_index()


def _readings(settings: Settings, storage: Storage) -> pd.DataFrame:
    rows = list(_agreements(settings, storage))
    return pd.DataFrame(rows, columns=["run", "record_key", "agreement"])


def _agreements(settings: Settings, storage: Storage) -> Iterator[tuple[str, str, float]]:
    for name in storage.runs.names():
        run = storage.runs.read(name)
        if len(run.sides) != 1:
            continue
        found = findings_of(settings, storage, run)
        if found.comparison.agreement is None:
            continue
        keys = sorted(set(found.sides[0].texts).intersection(found.sides[1].texts))
        for key, agreement in zip(keys, found.comparison.agreement.by_page.tolist(), strict=True):
            yield name, key, agreement


def draw_errors(errors: pd.DataFrame) -> "Figure":
    """Stacked bars, one a day, of `Quality.errors`."""
    figure, axes = _figure(3.2)
    if errors.empty:
        return _nothing(figure, axes, "no outcome without a result")
    bottom = np.zeros(len(errors))
    for kind in errors.columns:
        axes.bar(range(len(errors)), errors[kind], bottom=bottom, label=kind)
        bottom += errors[kind].to_numpy()
    axes.set_xticks(range(len(errors)), [str(day) for day in errors.index], rotation=30, ha="right")
    axes.set_title("Outcomes without a result, by day", loc="left")
    axes.set_ylabel("records")
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    return figure


def draw_words(quality: Quality) -> "Figure":
    """The words of each page, in the order of the pages, with those that are far off marked."""
    figure, axes = _figure(3.2)
    if quality.pages.empty:
        return _nothing(figure, axes, "no result yet")
    off = quality.pages["record_key"].isin(quality.outliers().index)
    at = np.arange(len(quality.pages))
    axes.plot(at, quality.pages["near"], color="gray", linewidth=1, label="median around it")
    axes.scatter(at[~off], quality.pages["words"][~off], s=8, color="#0072b2", label="a page")
    axes.scatter(at[off], quality.pages["words"][off], s=28, color="#d55e00", label="far off")
    axes.set_title("Words a page, in the order of the pages", loc="left")
    axes.set_ylabel("words")
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure


def draw_agreement(quality: Quality) -> "Figure":
    """How many pages agree how far with their second reading."""
    figure, axes = _figure(2.6)
    if quality.readings.empty:
        return _nothing(figure, axes, "no second reading yet: quire second-read")
    axes.hist(100 * quality.readings["agreement"], bins=20, range=(0, 100), color="#0072b2")
    axes.set_title("Agreement with a second reading", loc="left")
    axes.set_xlabel("percent of the characters")
    axes.set_ylabel("pages")
    return figure


def _figure(height: float) -> "tuple[Figure, Axes]":
    # Needed for looking alone: the product runs without it.
    require_extra("notebooks", "matplotlib")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _nothing(figure: "Figure", axes: "Axes", words: str) -> "Figure":
    axes.text(0.5, 0.5, words, ha="center", va="center")
    axes.set_axis_off()
    return figure

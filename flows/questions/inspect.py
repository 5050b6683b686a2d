"""What the inspection notebook shows, as pandas tables and a picture. For people to look at: nothing here is acted
upon, nothing is written. The counting itself stands in `flows.questions.status`.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from assets.candidates import STATES, RecordState, States
from assets.domain.batch import submitted_at
from assets.domain.ledger import Ledger
from assets.domain.outcome import ANSWERED_WELL, COUNTED
from assets.outcomes import OUTCOME_SCHEMA
from assets.usage import USAGE_COLUMNS
from config.settings import Settings, load_settings
from flows.gateways.files.storage import Storage
from flows.questions.history import all_outcomes
from flows.questions.status import Status, read_ledger_or_files, states_now, status_of
from flows.runtime.extras import require_extra
from flows.runtime.wiring import make_storage

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_BARS = 30
MAX_LABEL_CHARS = 48
_OUTCOME_COLUMNS = [name for name in OUTCOME_SCHEMA.names if name != "raw_text"]
# Told apart by the colour-blind, too (Okabe and Ito's palette).
_COLOURS = {
    RecordState.DONE: "#009e73",
    RecordState.INFLIGHT: "#0072b2",
    RecordState.RUNNABLE: "#56b4e9",
    RecordState.WAITING: "#cccccc",
    RecordState.POSTPONED: "#cc79a7",
    RecordState.HELD: "#f0e442",
    RecordState.DEAD: "#d55e00",
}


@dataclass(frozen=True, repr=False)
class Inspection:
    """A collection at one moment.

    ``prefect_problem``: why Prefect could not be asked, in one line, or None; then the numbers are what the files alone
    tell. ``states``: a row a record (record_key, document, state, failures). ``outcomes``: a row an outcome, oldest
    first, as `quire why` tells them, with the columns of the outcomes files but ``raw_text``, and ``outcomes``: the
    name of the file, which tells a late job's and answers that were judged again.
    """

    settings: Settings
    read_at: datetime
    prefect_problem: str | None
    status: Status
    states: pd.DataFrame
    outcomes: pd.DataFrame

    def __repr__(self) -> str:
        """What a notebook shows of it."""
        lines = [
            f"collection {self.settings.collection or 'main'}, configuration {self.settings.source}",
            f"manifests  {self.settings.paths.manifests}",
            f"read at    {self.read_at:%Y-%m-%d %H:%M:%S} UTC",
        ]
        if self.prefect_problem is not None:
            lines += [
                "",
                f"The Variables could not be read: {self.prefect_problem}.",
                "What follows is what the files alone tell: a batch that was let go of and a count that was reset by a "
                "person are not seen.",
            ]
        lines += [
            "",
            f"{self.status.records} records; {self.status.waves_left} waves are left if nothing fails any more",
        ]
        if not self.status.records:
            lines += [f"There are no records yet. Images belong into {self.settings.paths.page_images}."]
        return "\n".join(lines)

    def summary(self) -> pd.DataFrame:
        """state -> records, percent."""
        records = [self.status.states[state] for state in _COLOURS]
        table = pd.DataFrame({"records": records}, index=pd.Index(list(map(str, _COLOURS)), name="state"))
        table["percent"] = (100 * table["records"] / max(self.status.records, 1)).round(1)
        return table

    def progress(self) -> pd.DataFrame:
        """document -> records in each state, records; the least finished first."""
        table = pd.crosstab(self.states["document"], self.states["state"])
        table = table.reindex(columns=list(map(str, _COLOURS)), fill_value=0)
        table["records"] = table.sum(axis="columns")
        share = table[RecordState.DONE.value] / table["records"]
        order = pd.DataFrame({"share": share, "left": -(table["records"] - table[RecordState.DONE.value])})
        return table.loc[order.sort_values(["share", "left"], kind="stable").index]

    def failures(self) -> pd.DataFrame:
        """Outcome kind -> times, records, whether it counts against max_retries; most frequent first."""
        bad = self.outcomes[~self.outcomes["kind"].isin(ANSWERED_WELL)]
        table = bad.groupby("kind").agg(times=("record_key", "size"), records=("record_key", "nunique"))
        table["counted"] = table.index.isin(COUNTED)
        return table.sort_values("times", ascending=False, kind="stable")

    def dead_letters(self) -> pd.DataFrame:
        """record_key -> failures, kind and message of the last counted failure, when, and how many records wait."""
        # What a late job has failed at is told, and not counted.
        counted = self.outcomes[self.outcomes["kind"].isin(COUNTED) & self.outcomes["count_after"].notna()]
        last = counted.drop_duplicates("record_key", keep="last").set_index("record_key")
        keys = list(self.status.dead_letters)
        table = pd.DataFrame({"failures": list(self.status.dead_letters.values())}, index=pd.Index(keys, dtype=object))
        table.index.name = "record_key"
        table["waiting behind it"] = [self.status.blocking.get(key, 0) for key in keys]
        table = table.join(last[["kind", "message", "settled_at", "submission_id"]])
        table["message"] = table["message"].fillna("no failure in the outcomes: the count was set by hand")
        return table

    def batches(self) -> pd.DataFrame:
        """The active list: name -> state, records, submission_id, submitted_at."""
        rows = [
            {
                "name": each.name,
                "state": each.state,
                "records": each.records,
                "submission_id": each.submission_id,
                "submitted_at": submitted_at(each.submission_id) if each.submission_id else None,
            }
            for each in self.status.batches
        ]
        columns = ["name", "state", "records", "submission_id", "submitted_at"]
        return pd.DataFrame(rows, columns=columns).set_index("name")

    def tokens(self) -> pd.DataFrame:
        """model -> answers with token usage, and the sums of their tokens. Thoughts are billed as output."""
        names = list(USAGE_COLUMNS)
        used = self.outcomes[self.outcomes[names].notna().any(axis="columns")]
        answers = used.groupby("model").size().rename("answers")
        return pd.concat([answers, used.groupby("model")[names].sum()], axis="columns")


async def look(config: str | Path | None = None) -> Inspection:
    """Read everything. ``config``: default is the file that QUIRE_CONFIG names, then the nearest ``quire.yaml``.

    Raises ConfigError, and ManifestError for files that cannot be read; trouble with Prefect is told in
    ``prefect_problem``.
    """
    settings = load_settings(Path(config) if config is not None else None)
    storage = make_storage(settings)
    ledger, problem = await read_ledger_or_files(settings, storage)
    return await asyncio.to_thread(_inspect, settings, storage, ledger, problem)


def draw_progress(progress: pd.DataFrame, *, at_most: int = MAX_BARS) -> "Figure":
    """Stacked bars, one a document, of the first ``at_most`` rows of `Inspection.progress`."""
    # Needed for looking alone: the product runs without it.
    require_extra("notebooks", "matplotlib")
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    shown = progress.head(at_most)
    figure = Figure(figsize=(9, 1.6 + 0.28 * max(len(shown), 1)), layout="constrained")
    axes = figure.subplots()
    if shown.empty:
        axes.text(0.5, 0.5, "no records yet", ha="center", va="center")
        axes.set_axis_off()
        return figure
    left = pd.Series(0, index=shown.index)
    for state, colour in _COLOURS.items():
        if shown[state].any():
            axes.barh(range(len(shown)), shown[state], left=left, color=colour, label=str(state))
            left = left + shown[state]
    # A folder's name may hold a dollar sign, which would begin a formula.
    axes.set_yticks(range(len(shown)), [_short(name) for name in shown.index], parse_math=False)
    axes.invert_yaxis()
    axes.set_xlabel("records")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    hidden = len(progress) - len(shown)
    title = "Progress per document"
    axes.set_title(f"{title}: the {len(shown)} least finished of {len(progress)}" if hidden else title, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=len(_COLOURS), frameon=False)
    return figure


def _inspect(settings: Settings, storage: Storage, ledger: Ledger, problem: str | None) -> Inspection:
    now = datetime.now(UTC)
    states = states_now(settings, storage, ledger, now=now)
    return Inspection(
        settings=settings,
        read_at=now,
        prefect_problem=problem,
        status=status_of(settings, storage, ledger, states, now=now),
        states=_state_frame(states),
        outcomes=all_outcomes(storage, _OUTCOME_COLUMNS).to_pandas(),
    )


def _state_frame(states: States) -> pd.DataFrame:
    pages = states.records.pages
    documents = pages.documents.take(pa.array(pages.codes))
    frame: pd.DataFrame = pa.table({"record_key": pages.keys(), "document": documents}).to_pandas()
    frame["state"] = pd.Categorical.from_codes(states.codes, categories=pd.Index(list(map(str, STATES))))
    frame["failures"] = states.failures
    return frame


def _short(text: str) -> str:
    if len(text) <= MAX_LABEL_CHARS:
        return text
    half = (MAX_LABEL_CHARS - 1) // 2
    return f"{text[:half]}…{text[-half:]}"

"""How a demo ended: what was found, whether it is as it should be, and the text that says so."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assets.domain.outcome import COUNTED
from flows.demo.accuracy import WordErrors, measure, transcript_text
from flows.demo.corpus import DOCUMENTS, PAGES_PER_DOCUMENT
from flows.demo.pages import DemoPages
from flows.demo.place import DemoFolder
from flows.gateways.files.storage import Storage
from flows.terminal.facts import LINE_WIDTH, fact, short

MAX_WORD_ERROR_RATE = 0.10
_SHOWN_LINES = 14


@dataclass(frozen=True, slots=True)
class Findings:
    """``done``: the records with a result. ``failures``: record key -> how often it failed, over all runs.
    ``degraded``, ``undegraded``: word errors on the same ``done`` pages, as scanned and before they were degraded.
    ``sent``: record key -> in how many lines it was sent by this run, by the books of the local Gemini; ``left``:
    uploaded files that are still there. ``batches``: settled, over all runs. ``is_first``: nothing had been read
    before this run."""

    pages: DemoPages
    max_retries: int
    done: tuple[str, ...]
    dead: tuple[str, ...]
    failures: Mapping[str, int]
    degraded: WordErrors
    undegraded: WordErrors
    sent: Mapping[str, int]
    left: tuple[str, ...]
    batches: int
    is_first: bool

    def problems(self) -> list[str]:
        """What is not as it should be, a phrase each."""
        found = []
        if self.dead != (self.pages.dead,):
            found.append(f"the dead letters are {', '.join(self.dead) or 'none'} instead of {self.pages.dead}")
        if missing := set(self.pages.images) - {*self.done, self.pages.dead}:
            found.append(f"{len(missing)} pages were not read, {min(missing)} for one")
        if not self.degraded.rate < MAX_WORD_ERROR_RATE:
            found.append(f"the word error rate is {self.degraded.rate:.1%}, the limit is {MAX_WORD_ERROR_RATE:.0%}")
        provoked = self.pages.provoked_failures(max_retries=self.max_retries)
        for key, times in self.sent.items():
            # The dead letter's last failure is followed by no further try.
            allowed = provoked.get(key, 0) + (key != self.pages.dead)
            if times > allowed or (self.is_first and times != allowed):
                found.append(f"{key} was sent {times} times instead of {allowed}")
        if self.left:
            found.append(f"{len(self.left)} uploaded files are still there")
        return found


def count_failures(storage: Storage) -> dict[str, int]:
    """Record key -> its failures in all outcomes."""
    failures: Counter[str] = Counter()
    for submission_id in storage.closed_submissions():
        for row in storage.read_outcomes(submission_id, ["record_key", "kind"]).to_pylist():
            failures[row["record_key"]] += row["kind"] in COUNTED
    return dict(+failures)


def word_errors_of(
    storage: Storage, pages: DemoPages, done: Iterable[str], undegraded: Mapping[str, str]
) -> tuple[WordErrors, WordErrors]:
    """Of the results, and of the undegraded readings of the same pages."""
    read = {key: transcript_text(json.loads(storage.read_result(key) or b"{}")) for key in done}
    return measure(pages.texts, read), measure(pages.texts, {key: undegraded[key] for key in read})


def sent_since(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, int]:
    """Record key -> lines sent, from two readings of the local Gemini's books."""
    earlier = {key: record["submitted"] for key, record in before["records"].items()}
    counted = {key: record["submitted"] - earlier.get(key, 0) for key, record in after["records"].items()}
    return {key: times for key, times in counted.items() if times}


def text_of(found: Findings, storage: Storage, folder: DemoFolder, *, waves: int, seconds: float) -> list[str]:
    """The summary, line by line."""
    total = len(found.pages.images)
    if found.sent:
        headline = f"Done in {seconds:.0f} s: {len(found.done)} of {total} pages are read"
    else:
        headline = f"Nothing to do: {len(found.done)} of {total} pages were read before, and nothing was sent"
    lines = [headline + ("." if not found.dead else f", {len(found.dead)} is a dead letter."), ""]
    lines += fact("batches", f"{found.batches} settled" + (f", in {waves} waves" if found.sent else ""))
    for key in found.dead:
        lines += fact(
            "dead letter",
            f"{key}: failed {found.failures.get(key, 0)} times, as it was made to (max_retries {found.max_retries}). "
            "Pages after it did not wait: context.on_dead_dependency is proceed",
        )
    if found.pages.flaky in found.done:
        times = found.failures.get(found.pages.flaky, 0)
        lines += fact("retried", f"{found.pages.flaky}: failed {times} time, as it was made to, then read")
    lines += fact(
        "word errors",
        f"{found.degraded.rate:.1%} as scanned, {found.undegraded.rate:.1%} undegraded "
        f"(on {len(found.done)} pages each, {found.degraded.words:,} words)",
    )
    lines += fact("the books", _books(found))
    shown = next((key for key in found.done if found.failures.get(key, 0)), found.done[0]) if found.done else None
    if shown is not None:
        lines += ["", *_page(found.pages, storage, folder, shown)]
    return lines


def where(folder: DemoFolder, *, prefect_url: str, is_kept: bool) -> list[str]:
    """Where things are."""
    ui = prefect_url if is_kept else "ended with the demo; what it holds stays, and --keep shows it"
    return [
        "Where things are",
        *fact("scans", short(folder.page_images)),
        *fact("results", short(folder.output_results)),
        *fact("manifests", f"{short(folder.manifests)} (Parquet; manifests/README.md has the columns)"),
        *fact("logs", short(folder.logs)),
        *fact("Prefect's UI", ui),
    ]


def what_next(
    folder: DemoFolder, found: Findings, *, prefect_url: str, pids: list[int], is_kept: bool, has_viewer: bool = False
) -> list[str]:
    """What to type next."""
    quire, config = quire_command(), short(folder.config)
    flag = "" if folder.path == Path("demo-data").absolute() else f" --folder {short(folder.path)}"
    documents, pages = found.pages.size
    size = "" if (documents, pages) == (DOCUMENTS, PAGES_PER_DOCUMENT) else f" --documents {documents} --pages {pages}"
    lines = ["What to type next"]
    if not has_viewer:
        lines.append(f"  {quire} view --config {config}      # each page beside its text, in a browser")
    if is_kept:
        key = f"'{found.done[0]}'" if found.done else "KEY"
        lines += [
            f"  export PREFECT_API_URL={prefect_url}/api      # so that quire finds the demo's Prefect",
            f"  {quire} status --config {config}",
            f"  {quire} rerun {key} --config {config}      # have a page read again, with the next line",
            f"  {quire} run --watch --config {config}",
            f"  kill {' '.join(map(str, pids))}      # ends the servers that --keep left",
        ]
    else:
        lines += [
            f"  {quire} demo --keep{size}{flag}      # reads nothing again, leaves the servers running",
            f"  less {config}      # the settings, to start your own from",
        ]
    return [*lines, "  README.md says how to point Quire at your own scans, and at the real Gemini."]


def quire_command() -> str:
    """How to call quire from here."""
    return short(Path(sys.executable).with_name("quire"))


def _books(found: Findings) -> str:
    if not found.sent:
        return "nothing was sent"
    lines, extra = sum(found.sent.values()), sum(times - 1 for times in found.sent.values())
    left = "nothing uploaded is left" if not found.left else f"{len(found.left)} uploaded files are left"
    return (
        f"{lines} lines sent for {len(found.sent)} pages: each once, and {extra} retries that were provoked; {left}"
        if not found.problems()
        else f"{lines} lines sent for {len(found.sent)} pages; {left}"
    )


def _page(pages: DemoPages, storage: Storage, folder: DemoFolder, key: str) -> list[str]:
    text = transcript_text(json.loads(storage.read_result(key) or b"{}")).splitlines()
    lines = [line if len(line) <= LINE_WIDTH else line[: LINE_WIDTH - 3] + "..." for line in text[:_SHOWN_LINES]]
    more = [f"  | ... and {len(text) - _SHOWN_LINES} lines more"] if len(text) > _SHOWN_LINES else []
    return [
        f"One page: {key}",
        *fact("its image", short(folder.page_images / pages.images[key])),
        *fact("its result", short(storage.result_path(key))),
        *(f"  | {line.expandtabs(4)}" for line in lines),
        *more,
    ]

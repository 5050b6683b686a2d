"""``quire compare RUN``: what two readings of the same pages are worth, and what they cost: errors against what a
person has corrected or checked, or how far the two differ; dollars, tokens, time, failures. Reads files alone.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from assets.comparing import Comparison, advice, compared, drawn, is_significant
from assets.domain.errors import QuireError
from assets.domain.money import dollars
from assets.quality.intervals import Rate
from assets.quality.normal import AS_IT_IS
from assets.reading import content_of
from config.settings import Settings
from flows.gateways.files.runs import REPLACED, Run
from flows.gateways.files.storage import Storage
from flows.tables.corrections import model_answer, standing_corrections
from flows.tables.derived import last_submissions, results_table, submissions_table
from flows.tables.gold import gold_texts
from flows.tables.paid import answers_of
from flows.tables.relatives import side_storage

NAMES = ("A", "B")
STANDING = "the results that stand"
OF_BEFORE = "the results of before"


@dataclass(frozen=True, slots=True)
class SideFindings:
    """``name``: A or B; ``words``: what it is; ``pages``: how many were drawn, ``read``: how many have a result,
    ``failures``: kind of the last outcome -> how many have none; ``usd``: what its answers have cost, None where no
    price is known; tokens: of all its answers; ``seconds``: from the first batch that was made to the last that was
    settled, None before; ``open``: batches that are not settled; ``texts``: record key -> what was read."""

    name: str
    words: str
    pages: int
    read: int
    failures: Mapping[str, int]
    usd: float | None
    prompt_tokens: int
    output_tokens: int
    thoughts_tokens: int
    seconds: float | None
    open: int
    texts: Mapping[str, str] = field(repr=False)

    @property
    def usd_a_page(self) -> float | None:
        return self.usd / self.read if self.usd is not None and self.read else None

    def as_json(self) -> dict[str, Any]:
        found = {name: value for name, value in asdict(self).items() if name != "texts"}
        return found | {"usd_a_page": self.usd_a_page}


@dataclass(frozen=True, slots=True)
class Findings:
    """``truth``: record key -> what should have been read, of the pages that have gold."""

    run: Run
    sides: tuple[SideFindings, SideFindings]
    comparison: Comparison
    truth: Mapping[str, str]

    @property
    def advice(self) -> str:
        return advice(self.comparison, [side.usd_a_page for side in self.sides], NAMES)

    def as_json(self) -> dict[str, Any]:
        found, difference, agreement = self.comparison, self.comparison.difference, self.comparison.agreement
        return {
            "run": self.run.as_json(),
            "sides": [side.as_json() for side in self.sides],
            "accuracy": [asdict(each) for each in found.accuracy],
            "difference": asdict(difference) if difference is not None else None,
            "is_significant": difference is not None and is_significant(difference),
            "agreement": None
            if agreement is None
            else {"characters": asdict(agreement.characters), "words": asdict(agreement.words)},
            "pages_with_truth": len(self.truth),
            "normalization": AS_IT_IS.in_words(),
            "advice": self.advice,
        }


def findings_of(settings: Settings, storage: Storage, run: Run) -> Findings:
    """Raises ManifestError, OSError."""
    place = storage.runs.place(run.name)
    sides = [_side(side_storage(storage, place / each.label), each.words) for each in run.sides]
    keys = sorted(_keys(side_storage(storage, place / run.sides[0].label)))
    if len(sides) == 1:
        sides.insert(0, _standing(storage, keys))
    named = tuple(_named(side, name) for side, name in zip(sides, NAMES, strict=True))
    truth = {key: page.text for key, page in gold_texts(storage, keys).items()}
    return Findings(run, (named[0], named[1]), compared([side.texts for side in named], truth), truth)


def findings_of_replaced(storage: Storage, count: int | None, *, seed: int, now: datetime) -> Findings:
    """The results of before beside those that took their place, after `quire rerun`: of ``count`` pages, or of all.
    Raises QuireError where nothing was replaced, ManifestError, OSError."""
    replaced = storage.replaced_results()
    keys = sorted(key for key in replaced if storage.read_result(key) is not None)
    if not keys:
        raise QuireError("no result was replaced by another reading, or none of those of before is kept any more")
    known = gold_texts(storage, keys)
    at = [row for row, key in enumerate(keys) if key in known]
    chosen = drawn(np.arange(len(keys)), np.array(at, np.int64), count or len(keys), seed=seed)
    keys = [keys[row] for row in chosen.tolist()]
    texts = {key: text_of(replaced[key].read_bytes()) for key in keys}
    nothing: dict[str, Any] = {"usd": None, "seconds": None, "open": 0, **dict.fromkeys(_TOKENS, 0)}
    before = SideFindings("", OF_BEFORE, len(keys), len(keys), {}, **nothing, texts=texts)
    first, second = (_named(side, name) for side, name in zip((before, _standing(storage, keys)), NAMES, strict=True))
    truth = {key: page.text for key, page in known.items() if key in texts}
    run = Run(REPLACED, now, seed, len(keys), (), has_ended=True)
    return Findings(run, (first, second), compared([first.texts, second.texts], truth), truth)


def text_of(result: bytes) -> str:
    """The text of a result; of a schema without any field for text, all of it."""
    document = json.loads(result)
    content = content_of(document)
    return content.text if content.has_text else json.dumps(document, ensure_ascii=False, indent=1)


def _keys(storage: Storage) -> list[str]:
    records = storage.read_records()
    keys: list[str] = records["record_key"].to_pylist() if records is not None else []
    return keys


def _side(storage: Storage, words: str) -> SideFindings:
    keys = _keys(storage)
    texts = {key: text_of(result) for key in keys if (result := storage.read_result(key)) is not None}
    closed = submissions_table(storage, write=False)
    sums = {name: int(pc.sum(closed[name], min_count=0).as_py()) for name in _TOKENS}
    was_sent = closed.filter(pc.invert(closed["released"]))
    seconds = None
    if len(was_sent):
        first, last = pc.min(was_sent["created_at"]).as_py(), pc.max(was_sent["closed_at"]).as_py()
        seconds = (last - first).total_seconds()
    without = [key for key in keys if key not in texts]
    last_kind = last_submissions(storage, without)
    return SideFindings(
        name="",
        words=words,
        pages=len(keys),
        read=len(texts),
        failures=dict(Counter(last_kind[key][1] for key in without if key in last_kind)),
        usd=None if closed["usd"].null_count else float(pc.sum(closed["usd"], min_count=0).as_py()),
        seconds=seconds,
        open=len(set(storage.submissions()) - storage.closed_submissions()),
        texts=texts,
        **sums,
    )


_TOKENS = ("prompt_tokens", "output_tokens", "thoughts_tokens")


def _standing(storage: Storage, keys: Sequence[str]) -> SideFindings:
    """The results that stand, as a side; where a person has vouched for one, what the model had answered."""
    vouched = set(standing_corrections(storage)["record_key"].to_pylist())
    answers_read = ((key, (model_answer if key in vouched else Storage.read_result)(storage, key)) for key in keys)
    texts = {key: text_of(result) for key, result in answers_read if result is not None}
    answers = answers_of(storage, results_table(storage, keys=list(texts), write=False))
    sums = {name: int(pc.sum(answers[name], min_count=0).as_py()) for name in _TOKENS}
    usd = None if answers["usd"].null_count else float(pc.sum(answers["usd"], min_count=0).as_py())
    return SideFindings("", STANDING, len(keys), len(texts), {}, usd, **sums, seconds=None, open=0, texts=texts)


def _named(side: SideFindings, name: str) -> SideFindings:
    return SideFindings(**{each: getattr(side, each) for each in side.__slots__} | {"name": name})


def shown(found: Findings, page: Path | None = None) -> str:
    """A table for people, and one line of advice."""
    rows = [("", *(side.name for side in found.sides)), ("", *(side.words for side in found.sides))]
    rows.append(("pages read", *(f"{side.read:,} of {side.pages:,}" for side in found.sides)))
    rows.append(("without a result", *(_failures(side) for side in found.sides)))
    if found.comparison.accuracy:
        about = f" ({found.comparison.accuracy[0].pages} pages with a truth)"
        rows.append((f"wrong characters{about}", *(_rate(each.characters) for each in found.comparison.accuracy)))
        rows.append(("wrong words", *(_rate(each.words) for each in found.comparison.accuracy)))
    rows.append(("dollars", *(dollars(side.usd) if side.usd is not None else "not known" for side in found.sides)))
    rows.append(("tokens in", *(f"{side.prompt_tokens:,}" for side in found.sides)))
    rows.append(("tokens out", *(f"{side.output_tokens:,}" for side in found.sides)))
    rows.append(("tokens of thinking", *(f"{side.thoughts_tokens:,}" for side in found.sides)))
    rows.append(("seconds", *(f"{side.seconds:,.0f}" if side.seconds is not None else "" for side in found.sides)))
    if any(side.open for side in found.sides):
        rows.append(("batches in flight", *(str(side.open) for side in found.sides)))
    widths = [max(len(row[at]) for row in rows) for at in range(3)]
    lines = [f"{one:<{widths[0]}}  {two:>{widths[1]}}  {three:>{widths[2]}}".rstrip() for one, two, three in rows]
    agreement = found.comparison.agreement
    if agreement is not None:
        of_each = f"{_rate(agreement.characters)} of the characters, {_rate(agreement.words)} of the words"
        lines.append(f"A and B agree in {of_each}")
    lines += ["", found.advice]
    lines.append(f"Texts are held against each other as {AS_IT_IS.in_words()}; no page was told of the page before.")
    if page is not None:
        lines.append(f"page by page, with the differences marked: {page}")
    return "\n".join(lines)


def _failures(side: SideFindings) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(side.failures.items())) or "0"


def _rate(rate: Rate) -> str:
    if rate.rate is None:
        return "-"
    if rate.low is None or rate.high is None:
        return f"{rate.rate:.2%}"
    return f"{rate.rate:.2%} ({rate.low:.2%} to {rate.high:.2%})"

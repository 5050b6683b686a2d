"""What `quality` has found, as lines for the terminal and as one object."""

import json
from collections import Counter
from dataclasses import asdict
from typing import Any

from assets.quality.fields import FieldScore
from assets.quality.intervals import CONFIDENCE, Rate
from flows.questions.quality import Group, Quality
from flows.runtime.printable import printable

MAX_LISTED = 50
FEW = 10
"""Of fewer pages it is told that they are few."""


def quality_json(found: Quality) -> str:
    document: dict[str, Any] = {
        "normalization": found.options.normalization.in_words(),
        "without_running_heads": found.options.body,
        "confidence": CONFIDENCE,
        "gold": found.gold,
        "gold_without_result": found.unread,
        "gold_without_answer": found.answer_lost,
        "whole": _as_object(found.whole) if found.whole is not None else None,
        "documents": [_as_object(each) for each in found.documents],
        "kinds": [_as_object(each) for each in found.kinds],
        "fields": [{"field": path, **_shares(score)} for path, score in sorted(found.fields.items())],
        "pages": found.pages,
        "findings": [asdict(each) for each in found.findings],
        "faults": found.faults,
    }
    return json.dumps(document, ensure_ascii=False, indent=1)


def quality_text(found: Quality) -> str:
    lines = [*_gold_lines(found), *_finding_lines(found)]
    lines += [f"cannot be judged: {fault}" for fault in found.faults[:MAX_LISTED]]
    return "\n".join(printable(line) for line in lines)


def _gold_lines(found: Quality) -> list[str]:
    if found.whole is None:
        lines = ["no page could be measured: there is no gold whose answer is known; quire sample draws pages to check"]
        return lines + _not_measured(found)
    pages = found.whole.words.pages
    kinds = ", ".join(f"{count} {kind}" for kind, count in found.gold.items())
    lines = [f"against {pages} gold {'page' if pages == 1 else 'pages'} ({kinds}); {_compared(found)}", ""]
    lines += _table([found.whole], "")
    lines += ["", *_table(found.kinds, "kind of page")] if len(found.kinds) > 1 else []
    lines += ["", *_table(found.documents[:MAX_LISTED], "document")] if len(found.documents) > 1 else []
    if len(found.documents) > MAX_LISTED:
        lines.append(f"... and {len(found.documents) - MAX_LISTED} more documents: --json has all")
    if found.fields:
        lines += ["", f"{'field':<40} {'values':>7} {'exact':>8} {'alike':>8}"]
        for path, score in sorted(found.fields.items())[:MAX_LISTED]:
            shares = _shares(score)
            lines.append(f"{path[:40]:<40} {score.values:>7,} {_share(shares['exact'])} {_share(shares['alike'])}")
    if pages < FEW:
        lines.append(
            f"{pages} {'page is' if pages == 1 else 'pages are'} few: {FEW} or more tell something of the others"
        )
    elif found.whole.characters.rate == 0:
        lines.append(f"no error on {pages} pages: {3 / pages:.0%} of all pages may have some all the same")
    return lines + _not_measured(found)


def _compared(found: Quality) -> str:
    body = ", without running heads and page numbers" if found.options.body else ""
    return f"{found.options.normalization.in_words()}{body}"


def _not_measured(found: Quality) -> list[str]:
    lines = []
    if found.unread:
        lines.append(f"not measured: {len(found.unread)} gold pages have no result, such as {found.unread[0]}")
    if found.answer_lost:
        count, first = len(found.answer_lost), found.answer_lost[0]
        lines.append(f"not measured: of {count} gold pages nobody knows what a model had answered, such as {first}")
    return lines


def _table(groups: list[Group], head: str) -> list[str]:
    rows = [(head, "pages", "wrong characters", "wrong words")]
    rows += [(each.name, f"{each.words.pages:,}", _rate(each.characters), _rate(each.words)) for each in groups]
    return [f"{name[:30]:<30} {pages:>6}   {characters:<24} {words}" for name, pages, characters, words in rows]


def _rate(rate: Rate) -> str:
    if rate.rate is None:
        return "no text"
    if rate.low is None or rate.high is None:
        return f"{rate.rate:.2%}"
    return f"{rate.rate:.2%} ({rate.low:.2%} to {rate.high:.2%})"


def _share(share: float) -> str:
    return f"{share:>8.1%}"


def _shares(score: FieldScore) -> dict[str, Any]:
    values = max(1, score.values)
    return {"values": score.values, "exact": score.exact / values, "alike": score.alike / values}


def _as_object(group: Group) -> dict[str, Any]:
    return {
        "name": group.name,
        "pages": group.words.pages,
        "characters": _of(group.characters),
        "words": _of(group.words),
    }


def _of(rate: Rate) -> dict[str, float | None]:
    return {"rate": rate.rate, "low": rate.low, "high": rate.high}


def _finding_lines(found: Quality) -> list[str]:
    if found.options.gold_only:
        return []
    pages = len({each.record_key for each in found.findings})
    if not found.findings:
        return ["", f"{found.pages} results looked through: nothing stands out"]
    counts = Counter(each.sign.value for each in found.findings)
    said = ", ".join(f"{count} {sign}" for sign, count in sorted(counts.items()))
    lines = ["", f"{found.pages} results looked through, {pages} stand out: {said}"]
    lines += [f"  {each.record_key}  {each.sign}: {each.said}" for each in found.findings[:MAX_LISTED]]
    if len(found.findings) > MAX_LISTED:
        lines.append(f"  ... and {len(found.findings) - MAX_LISTED} more: --json has all")
    return [*lines, "look at them beside their images: quire view"]

"""What of one document is fresh, stale or missing at each asset, and why: findings about pages, put together to a few
lines. Where findings come from is for the shell to say; a state is worked out from what stands there, never from an
event that somebody has seen in passing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from assets.domain.record import encode_ranges

MAX_FINDINGS = 20
"""So many lines an asset has at most."""
MAX_RANGES = 10
"""A line that lists pages stays readable."""


class Freshness(StrEnum):
    """Unknown is what nobody could look at, or has compared yet: never missing, and never fresh. None: there is
    nothing of this asset to have, and that is as it should be."""

    FRESH = "fresh"
    STALE = "stale"
    MISSING = "missing"
    UNKNOWN = "unknown"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Finding:
    """Some pages of an asset that are alike. ``keys``: the record keys; none where it is said of the document as a
    whole; ``reason``: in a few words, "" where nothing is to be said."""

    freshness: Freshness
    reason: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AssetOfDocument:
    """``counts``: Freshness -> pages, of those that there are; ``findings``: worst first, a line each."""

    name: str
    counts: dict[str, int]
    findings: tuple[Finding, ...]


_ORDER = (Freshness.MISSING, Freshness.STALE, Freshness.UNKNOWN, Freshness.NONE, Freshness.FRESH)


def of_pages(found: Iterable[tuple[str, Freshness, str]]) -> list[Finding]:
    """Findings of pages (record key, freshness, reason), those that are alike put together, in the order of the
    pages."""
    alike: dict[tuple[Freshness, str], list[str]] = {}
    for key, freshness, reason in found:
        alike.setdefault((freshness, reason), []).append(key)
    return [Finding(freshness, reason, tuple(keys)) for (freshness, reason), keys in alike.items()]


def asset_of_document(name: str, findings: Sequence[Finding]) -> AssetOfDocument:
    """``findings``: of all pages of the document, and of the document as a whole."""
    counts = {
        each.value: sum(len(finding.keys) for finding in findings if finding.freshness is each) for each in Freshness
    }
    ordered = sorted(findings, key=lambda finding: _ORDER.index(finding.freshness))
    return AssetOfDocument(name, {what: count for what, count in counts.items() if count}, tuple(ordered))


def lines_of(asset: AssetOfDocument) -> list[str]:
    """For a person: how many pages are what, and a line for each kind of them that needs a word."""
    sums = ", ".join(f"{count:,} {what}" for what, count in asset.counts.items())
    worded = [each for each in asset.findings if each.reason]
    if not sums and len(worded) == 1:
        return [f"{asset.name}: {worded[0].freshness}: {worded[0].reason}"]
    lines = [f"{asset.name}: {sums or ('none' if not worded else worded[0].freshness)}"]
    for each in worded[:MAX_FINDINGS]:
        pages = f"{listed(each.keys)}: " if each.keys else ""
        lines.append(f"  {each.freshness}: {pages}{each.reason}")
    if len(worded) > MAX_FINDINGS:
        lines.append(f"  ... and {len(worded) - MAX_FINDINGS} more kinds")
    return lines


def listed(keys: Sequence[str]) -> str:
    """Ranges of pages, MAX_RANGES at most."""
    ranges = encode_ranges(keys)
    more = f" and {len(ranges) - MAX_RANGES} more" if len(ranges) > MAX_RANGES else ""
    return ", ".join(ranges[:MAX_RANGES]) + more

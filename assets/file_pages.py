"""What the pages of a file of several pages are called: a TIFF of a whole book, or one file for each sheet with its two
sides. How files are found and opened stands in `flows.gateways.files.trees`.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum

from assets.domain.errors import RecordKeyError
from assets.domain.labels import LEAVES, NUMBERS, canonical_label, label_at, place_of


class FilePages(StrEnum):
    """``counted``: on from the file's own label, ``5.tif`` has the pages 5, 6, 7; ``suffix``: with a number behind it,
    5.1, 5.2, 5.3; ``auto``: counted, unless that makes the files of a document claim each other's pages."""

    AUTO = "auto"
    COUNTED = "counted"
    SUFFIX = "suffix"


def page_labels(label: str, pages: int, rule: FilePages) -> list[str]:
    """The labels of a file's pages; ``rule`` is not AUTO. A label that no count goes on from has a suffix either way.
    Raises RecordKeyError where that would be no label."""
    if pages == 1:
        return [label]
    series, at = place_of(label)
    counted = [label_at(series, at + page) for page in range(pages)] if series in (NUMBERS, LEAVES) else []
    if rule is FilePages.COUNTED and counted and place_of(counted[-1]).series == series:
        return counted
    return [canonical_label(f"{label}.{page + 1}") for page in range(pages)]


def rule_of(label: str, pages: int, frame: int, was: str) -> FilePages | None:
    """By which rule page ``frame`` (from 0) of a file of so many was called ``was``, where the file's own label is
    ``label``; None where both rules say the same, or neither says that."""
    named = {}
    for rule in (FilePages.COUNTED, FilePages.SUFFIX):
        try:
            named[page_labels(label, pages, rule)[frame]] = rule
        except (RecordKeyError, IndexError):
            continue
    return named.get(was) if len(named) > 1 else None


def rule_for(several: Mapping[str, int], others: Collection[str], rule: FilePages) -> FilePages:
    """By what the files of a document go. ``several``: the label of each file of several pages, and how many it has;
    ``others``: the labels of the files of one page.

    AUTO is SUFFIX where there are two files of several pages at least, and half of them or more would count on into the
    own label of another such file; for sheets of two sides, of any other file. A single file beside pages by themselves
    may be a book that is there twice, and nobody should pay for that: its pages are counted on, and those that meet are
    left to a person.
    """
    if rule is not FilePages.AUTO:
        return rule
    are_sheets = max(several.values(), default=0) <= 2
    own = {*several, *others} if are_sheets else set(several)
    meeting = sum(
        not own.isdisjoint(page_labels(label, pages, FilePages.COUNTED)[1:]) for label, pages in several.items()
    )
    return FilePages.SUFFIX if len(several) > 1 and 2 * meeting >= len(several) else FilePages.COUNTED

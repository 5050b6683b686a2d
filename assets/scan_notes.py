"""What a person should know of a collection as a scan has found it, beside the files that it left out: where pages are
missing, where the order of the pages is a guess, that a context mode has no effect. Each note is told once in the log
and shown by each `quire scan`, so it says the same as long as it is so, however many pages come and go.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.context import ContextMode
from assets.domain.page_orders import AtGap
from assets.domain.record import label_of
from assets.name_patterns import pattern_for
from assets.page_order import GAPS, Gap, OrderRules, gaps, guesses


@dataclass(frozen=True, slots=True)
class GapsOfKind:
    """``count``: between how many pages something is missing; ``first``: the record behind the first such gap."""

    count: int
    first: str


def found_gaps(record_manifest: pa.Table) -> dict[str, GapsOfKind]:
    """The kinds of gaps that there are, by their names."""
    kinds = gaps(record_manifest, _starts(record_manifest))
    found = {}
    for place, gap in enumerate(GAPS):
        rows = np.flatnonzero(kinds == place)
        if len(rows):
            found[gap.value] = GapsOfKind(len(rows), record_manifest["record_key"][int(rows[0])].as_py())
    return found


def gaps_line(found: Mapping[str, GapsOfKind], mode: ContextMode, at_gap: AtGap, *, is_allow_list: bool) -> str:
    """The gaps in a line for a person, "" for none, and what becomes of the page before there."""
    if not found:
        return ""
    said = ", ".join(f"{each.count:,} {Gap(kind).said} (first before {each.first})" for kind, each in found.items())
    if not mode.sends_anything:
        return f"gaps: {said}"
    if is_allow_list:
        return f"gaps: {said}; no page before goes along there, as the allow list leaves open what lies between"
    does = "the page before goes along all the same" if at_gap is AtGap.FOLLOW else "no page before goes along there"
    return f"gaps: {said}; {does} (context.at_gap: {at_gap.value})"


def order_notes(record_manifest: pa.Table, rules: OrderRules) -> list[str]:
    """Where the order of a document's pages is a guess."""
    if not len(record_manifest):
        return []
    starts = _starts(record_manifest)
    documents = np.cumsum(starts) - 1
    keys = record_manifest["record_key"].filter(pa.array(starts)).to_pylist()
    found = guesses(record_manifest, documents, [key.rpartition(":")[0] for key in keys], rules)
    notes = []
    if found.roman:
        notes.append(
            "the order of pages is a guess where Roman numbers stand beside others: they come last, such as in "
            f"{found.roman_example}; record.page_order: roman_first has them first"
        )
    if found.words:
        notes.append(
            "the order of pages is a guess where words stand beside numbers, or only words: they come last, by their "
            f"letters, such as in {found.words_example}; record.page_order_names says which come first or last, "
            "record.page_order: file_name goes by the files' names"
        )
    return notes


def mode_notes(record_manifest: pa.Table, mode: ContextMode, *, is_allow_list: bool) -> list[str]:
    """That no page has a page before it, though its mode is about that."""
    has_effect = record_manifest["predecessor"].null_count < len(record_manifest)
    if not mode.sends_anything or has_effect or len(record_manifest) < 2:
        return []
    if is_allow_list:
        why = "the allow list names no two that follow on each other"
    elif _starts(record_manifest).all():
        why = "each document has one page only: does record.document_fields name one folder too many?"
    else:
        why = "others are missing between all of them, and context.at_gap is break"
    return [f"context.mode: {mode.value} has no effect, as no page has a page before it: {why}"]


def name_notes(paths: Sequence[str], pattern: str, *, pages: int) -> list[str]:
    """A pattern that would take images that are left out by their names. ``paths``: these; ``pages``: how many images
    are pages."""
    if not paths:
        return []
    names = [path.rpartition("/")[2] for path in paths]
    examples = " and ".join(dict.fromkeys(names[:2]))
    said = f"images such as {examples} are left out by their names"
    found = pattern_for([name.rpartition(".")[0] or name for name in names], pattern, others=pages)
    if found is None:
        return [f"{said}: record.page_pattern says which names are pages"]
    which = "these" if found[1] else "some of these"
    return [f"{said}; {which} would be pages with record.page_pattern: {_yaml(found[0])}"]


def file_notes(record_manifest: pa.Table) -> list[str]:
    """That pages of one file are called by a number behind the file's own label."""
    first_of_several = pc.and_(
        pc.equal(record_manifest["image_frame"], 0), pc.greater(record_manifest["image_frames"], 1)
    )
    files = record_manifest.filter(first_of_several)
    files = files.filter(pc.ends_with(files["record_key"], ".1"))
    if not len(files):
        return []
    path = files["image_path"][0].as_py()
    return [
        f"files of several pages: {path} begins with page {label_of(files['record_key'][0].as_py())}, as counted on "
        "its pages would be those of other files; likewise in others (record.file_pages)"
    ]


def _yaml(text: str) -> str:
    """As it can be copied into the settings."""
    return "'" + text.replace("'", "''") + "'"


def _starts(record_manifest: pa.Table) -> np.ndarray:
    """Which rows begin a document."""
    starts: np.ndarray = record_manifest["page_position"].to_numpy() == 1
    return starts

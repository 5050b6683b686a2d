"""What a walk of the images has found, looked at as a whole before it becomes the record manifest: whose results would
have one place, and what a person should know of the collection. How it is walked stands in `flows.scan`, what the words
are in `assets.scan_notes`.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from assets.copies import copies_notes
from assets.domain.names import meeting_documents, meeting_labels
from assets.misplaced import misplaced_notes
from assets.page_order import OrderRules
from assets.scan_notes import GapsOfKind, file_notes, gaps_line, mode_notes, name_notes, order_notes
from assets.sources import PageImage, SourceProblem
from config.settings import Settings
from flows.gateways.files.image_files import NO_MATCH
from flows.gateways.files.trial import folds_case
from flows.gateways.files.walking import sayable


def with_a_place(images: list[PageImage], results: Path) -> tuple[list[PageImage], list[SourceProblem]]:
    """The images whose results have a place of their own, and the documents and pages of which it would be that of
    another: none is sent, as the results of one would be taken for the other's. Raises OSError."""
    if not folds_case(results):
        return images, []
    places = {image.fields: image.path.rpartition("/")[0] for image in images}
    meeting = meeting_documents(places)
    problems = [
        SourceProblem(
            place,
            f"capitals do not count in {results}, where its results would lie with those of "
            f"{'/'.join(meeting[fields])}; rename one of them",
        )
        for fields, place in places.items()
        if fields in meeting
    ]
    labels: dict[tuple[str, ...], list[str]] = {}
    for image in images:
        labels.setdefault(image.fields, []).append(image.label)
    pages = {fields: meeting_labels(each) for fields, each in labels.items()}
    for image in images:
        if image.fields not in meeting and (other := pages[image.fields].get(image.label)) is not None:
            reason = f"where the result of page {image.label} would be that of page {other}; rename one of them"
            problems.append(SourceProblem(image.path, f"capitals do not count in {results}, {reason}"))
    apart = [each for each in images if each.fields not in meeting and each.label not in pages[each.fields]]
    return apart, problems


def walk_notes(
    settings: Settings,
    problems: Sequence[SourceProblem],
    copies: Sequence[tuple[str, str]],
    *,
    pages: int,
    is_empty: bool,
) -> list[str]:
    """What a person should know of the files. ``copies``: the path of a file that is sent and of one that is not, as
    both are of one page; ``pages``: how many images are pages; ``is_empty``: whether there is no record."""
    unnamed = [each.path for each in problems if each.reason == NO_MATCH]
    return [
        *copies_notes(copies, settings.images.prefer),
        *misplaced_notes(() if is_empty else problems, settings.record.document_fields[: settings.record.depth]),
        *name_notes(unnamed, settings.record.page_pattern, pages=pages),
    ]


def table_notes(settings: Settings, table: pa.Table, order: OrderRules) -> list[str]:
    """What a person should know of the record manifest."""
    return [
        *order_notes(table, order),
        *mode_notes(table, settings.context.mode, is_allow_list=settings.paths.allow_list is not None),
        *file_notes(table),
    ]


def as_problems(notes: Iterable[str], folder: Path, root: Path) -> list[SourceProblem]:
    """As rows of the same list they are told once in the log, for as long as they are so."""
    place = sayable(os.path.relpath(folder, root).replace(os.sep, "/"))
    return [SourceProblem(place, note, left_out=False) for note in notes]


def gaps_told(settings: Settings, found: Mapping[str, GapsOfKind]) -> str:
    """What is missing between pages, in a line; "" for nothing."""
    is_allow_list = settings.paths.allow_list is not None
    return gaps_line(found, settings.context.mode, settings.context.at_gap, is_allow_list=is_allow_list)

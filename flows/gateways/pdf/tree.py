"""The tree of source documents: which PDFs there are. How a tree is walked stands in `files.walking`."""

import os

from assets.domain.errors import RecordKeyError
from assets.domain.record import check_field
from assets.sources import OUT_OF_TIME, SourcePdf, SourceProblem, is_time
from flows.gateways.ports import DocumentTree

_SUFFIX = ".pdf"


def walk_pdfs(tree: DocumentTree, *, depth: int) -> tuple[list[SourcePdf], list[SourceProblem]]:
    """All PDFs in ``tree``, ``depth`` levels down, the last level being their names; and what is none.

    What begins with a dot is passed over: such files are made by systems and not by people. A folder that is not there
    has none.
    """
    pdfs: dict[tuple[str, ...], list[SourcePdf]] = {}
    for fields, directory in tree.documents(depth - 1):
        for entry in tree.entries(directory):
            found = _pdf(entry, fields, tree.place(entry.path))
            if isinstance(found, str):
                tree.tell(entry.path, found)
            else:
                pdfs.setdefault(found.fields, []).append(found)
    problems = tree.problems
    for doubled in pdfs.values():
        if len(doubled) > 1:
            # Which one is meant is for a person to say.
            problems += [SourceProblem(pdf.path, f"{len(doubled)} PDFs of one document; keep one") for pdf in doubled]
    return [found for (found, *others) in pdfs.values() if not others], problems


def _pdf(entry: os.DirEntry[str], fields: tuple[str, ...], path: str) -> SourcePdf | str:
    """The PDF, or why it is none."""
    try:
        if entry.is_dir():
            return "a folder where PDFs are expected"
        if not entry.name.lower().endswith(_SUFFIX):
            return "no PDF: its name does not end in .pdf"
        field = check_field(entry.name[: -len(_SUFFIX)])
        found = entry.stat()
        if not entry.is_file():
            return "no PDF: it is no file"
        if not is_time(found.st_mtime_ns):
            return OUT_OF_TIME
    except RecordKeyError as error:
        return error.reason
    except OSError as error:
        return f"unreadable: {error.strerror}"
    if not os.access(entry.path, os.R_OK):
        return "unreadable: Permission denied"
    return SourcePdf((*fields, field), path, found.st_size, found.st_mtime_ns)

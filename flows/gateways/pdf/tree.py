"""The walk of the source documents: which PDFs there are. Walks of images and results stand in `trees`."""

import os
from collections.abc import Iterator
from pathlib import Path

from assets.domain.errors import RecordKeyError
from assets.domain.record import check_field
from assets.sources import SourcePdf, SourceProblem

_SUFFIX = ".pdf"


def walk_pdfs(folder: Path, *, depth: int) -> tuple[list[SourcePdf], list[SourceProblem]]:
    """All PDFs under ``folder``, ``depth`` levels down, the last level being their names; and what is none.

    What begins with a dot is passed over: such files are made by systems and not by people. A folder that is not there
    has none.
    """
    pdfs: dict[tuple[str, ...], list[SourcePdf]] = {}
    problems: list[SourceProblem] = []
    for found in _walk(folder, "", depth, (), problems):
        pdfs.setdefault(found.fields, []).append(found)
    for doubled in pdfs.values():
        if len(doubled) > 1:
            # Which one is meant is for a person to say.
            problems += [SourceProblem(pdf.path, f"{len(doubled)} PDFs of one document; keep one") for pdf in doubled]
    return [found for (found, *others) in pdfs.values() if not others], problems


def _walk(
    top: Path, place: str, levels: int, fields: tuple[str, ...], problems: list[SourceProblem]
) -> Iterator[SourcePdf]:
    for entry in _entries(top, place, problems):
        path = f"{place}{entry.name}"
        is_pdf = entry.name.lower().endswith(_SUFFIX)
        if entry.is_dir() and levels > 1:
            if entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(top.resolve()):
                problems.append(SourceProblem(path, "a symbolic link to a folder elsewhere"))
                continue
            stem = entry.name
        elif levels > 1:
            problems.append(SourceProblem(path, f"a file where folders of {levels - 1} more levels are expected"))
            continue
        elif not is_pdf or entry.is_dir():
            reason = "a folder where PDFs are expected" if entry.is_dir() else "no PDF: its name does not end in .pdf"
            problems.append(SourceProblem(path, reason))
            continue
        else:
            stem = entry.name[: -len(_SUFFIX)]
        try:
            field = check_field(stem)
        except RecordKeyError as error:
            problems.append(SourceProblem(path, error.reason))
            continue
        if levels > 1:
            yield from _walk(top, f"{path}/", levels - 1, (*fields, field), problems)
            continue
        pdf = _pdf(entry, (*fields, field), path)
        if isinstance(pdf, SourceProblem):
            problems.append(pdf)
        else:
            yield pdf


def _pdf(entry: os.DirEntry[str], fields: tuple[str, ...], path: str) -> SourcePdf | SourceProblem:
    try:
        found = entry.stat()
    except OSError as error:
        return SourceProblem(path, f"unreadable: {error.strerror}")
    if not entry.is_file():
        return SourceProblem(path, "no PDF: it is no file")
    if not os.access(entry.path, os.R_OK):
        return SourceProblem(path, "unreadable: Permission denied")
    return SourcePdf(fields, path, found.st_size, found.st_mtime_ns)


def _entries(top: Path, place: str, problems: list[SourceProblem]) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(top / place) as found:
            return sorted((each for each in found if not each.name.startswith(".")), key=lambda each: each.name)
    except FileNotFoundError:
        return []
    except OSError as error:
        problems.append(SourceProblem(place.rstrip("/") or ".", f"unreadable folder: {error.strerror}"))
        return []

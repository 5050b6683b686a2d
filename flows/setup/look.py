"""What lies in a folder that `quire init` is asked about: names, and of a few JSON files their first bytes."""

import os
from pathlib import Path, PurePosixPath

from assets.sources import IMAGE_SUFFIXES
from config.settings import SERVER_FOLDER, TRIAL_FOLDER
from flows.setup.guess import Listing

MAX_FILES = 100_000
"""Enough to guess from; a share with millions of files would take minutes."""
MAX_DEPTH = 10
MAX_OPENED = 20
_PASSED_OVER = frozenset({"manifests", TRIAL_FOLDER, SERVER_FOLDER})


def list_files(folder: Path) -> Listing:
    """Images, PDFs and IIIF manifests below ``folder``, without what begins with a dot or is Quire's own, and without
    following links to folders. What cannot be read is passed over: a scan will tell it."""
    images: list[PurePosixPath] = []
    pdfs: list[PurePosixPath] = []
    iiif: list[PurePosixPath] = []
    seen = opened = 0
    for directory, folders, names in os.walk(folder):
        here = PurePosixPath(Path(directory).relative_to(folder).as_posix())
        depth = len(here.parts)
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and name.isprintable()
            and depth < MAX_DEPTH
            and not (depth == 0 and name in _PASSED_OVER)
        )
        for name in sorted(names):
            if not _is_sayable(name):
                continue
            seen += 1
            ending = name.rpartition(".")[2].lower()
            if ending in IMAGE_SUFFIXES:
                images.append(here / name)
            elif ending == "pdf":
                pdfs.append(here / name)
            elif ending == "json" and opened < MAX_OPENED:
                opened += 1
                if _is_iiif(Path(directory, name)):
                    iiif.append(here / name)
        if seen > MAX_FILES:
            return Listing(images, pdfs, iiif, is_cut=True)
    return Listing(images, pdfs, iiif)


def _is_sayable(name: str) -> bool:
    """Names that could not stand in the file that is written are left to the scan, which tells them."""
    return not name.startswith(".") and name.isprintable()


def _is_iiif(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return b"iiif.io/api/presentation" in file.read(4000)
    except OSError:
        return False

"""Checks of this machine: Python, the packages, the folders. Only trial files are written, and removed again."""

import platform
import sys
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from assets.domain.errors import DiskError
from config.settings import Settings
from flows.doctor.check import Check, Verdict
from flows.gateways.files.folder_times import time_ahead
from flows.gateways.files.trial import Abilities, abilities, nearest_folder
from flows.protocol.places import RECORD_BYTES

OLDEST_PYTHON = (3, 11)


def check_python() -> Check:
    found = f"{platform.python_version()} at {sys.prefix}, Quire {version('quire')}"
    if sys.version_info < OLDEST_PYTHON:
        return Check("Python", Verdict.STOP, found, "Quire needs 3.11 or later")
    return Check("Python", Verdict.OK, found)


def check_folders(settings: Settings) -> list[Check]:
    """What is read, then what is written to."""
    paths = settings.paths
    has_documents = paths.source_documents.is_dir()
    checks = [_readable("PDFs", paths.source_documents)] if has_documents else []
    # Where there are PDFs, a pass makes the folder for their images.
    if paths.page_images.is_dir() or not has_documents:
        checks.append(_readable("page images", paths.page_images, settings))
    if paths.allow_list is not None:
        checks.append(_readable("allow list", paths.allow_list))
    places = (("results", paths.output_results), ("manifests", paths.manifests))
    return [*checks, *(_writable(what, folder, settings) for what, folder in places)]


def _readable(what: str, folder: Path, settings: Settings | None = None) -> Check:
    """``settings``: where folders in it are looked into again and again."""
    try:
        next(folder.iterdir(), None)
        times = "" if settings is None else f": {_times_told(settings, folder)}"
    except OSError as error:
        return _trouble(what, error)
    return Check(what, Verdict.OK, f"{folder}{times}")


def _writable(what: str, folder: Path, settings: Settings) -> Check:
    try:
        # The first pass makes it.
        can = abilities(nearest_folder(folder))
    except OSError as error:
        return _trouble(what, error)
    most = settings.execution.batch_size_limit * settings.execution.max_concurrent_batches * RECORD_BYTES
    found = (
        f"{folder}: can be written, {_told(can)}, {_times_told(settings, folder)}, {can.free_bytes / 1e9:,.1f} GB free"
    )
    if can.free_bytes < most:
        mend = f"all batches that may be open can need {most / 1e9:,.1f} GB: make room"
        return Check(what, Verdict.LOOK, found, mend)
    return Check(what, Verdict.OK, found)


def _times_told(settings: Settings, folder: Path) -> str:
    """Whether the times of folders there are believed, and so only those looked into that changed."""
    if settings.scan.trust_folder_times is False:
        return "each file is asked for (scan.trust_folder_times: false)"
    paths = settings.paths
    nearest = nearest_folder(folder)
    device = nearest.stat().st_dev
    places = [nearest_folder(each) for each in (paths.manifests, paths.output_results, paths.page_images)]
    for place in places:
        with suppress(OSError):
            if place.stat().st_dev == device:
                moves = time_ahead(place) is not None
                return "a folder's time tells changes" if moves else "no folder's time tells changes"
    if settings.scan.trust_folder_times:
        return "a folder's time is believed (scan.trust_folder_times: true)"
    return "whether a folder's time tells changes cannot be tried, so each file is asked for (scan.trust_folder_times)"


def _told(can: Abilities) -> str:
    creation = (
        "hard links" if can.links else "no hard links (a rename)" if can.renames_once else "no hard links (a lock)"
    )
    sync = "folders are synced" if can.syncs else "folders cannot be synced"
    case = "capitals do not count" if can.folds_case else "capitals count"
    return f"{creation}, {sync}, {case}"


def _trouble(what: str, error: OSError) -> Check:
    disk = DiskError.of(error)
    return Check(what, Verdict.STOP, str(disk or error))

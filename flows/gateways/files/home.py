"""What says whose a folder is: ``home.json`` in the manifests, and a mark in each further folder that Quire owns. One
without its mark is not the folder that it was: a share that is not mounted, or a backup of something else.

Not marked are ``manifests/work``, which holds nothing that is needed after a step, and ``manifests/raw``: what is not
there is downloaded again.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assets.domain.errors import WAY_BACK, HomeMismatchError, ManifestError
from assets.domain.home import ID, OUTPUT_RESULTS, HomeFile
from flows.gateways.files.atomic import create_text, replace_text, sync_folder
from flows.gateways.files.decisions import read_json
from flows.gateways.files.formats import FORMAT, NEWEST_FORMAT
from flows.gateways.files.presence import is_there

MARK = ".quire"
"""A hidden name: walks pass over it, and so do people."""
LEDGER_FOLDERS = ("batches", "jobs", "outcomes")
"""Of ``manifests``: without what is in them nobody knows what was sent, and what became of it."""
FURTHER_FOLDERS = ("uploads", "prompts")
_SETTINGS = "settings"


@dataclass(frozen=True, slots=True)
class Unmarked:
    """A folder that does not carry its mark. ``setting``: which one says where it lies; ``problem``: what is wrong with
    it, in a few words that follow on its path; ``other_id``: whose mark it carries, if it has one."""

    folder: Path
    setting: str
    problem: str
    other_id: str | None = None


class HomeFiles:
    """``manifests/home.json`` and the marks. Every method raises OSError for trouble with the disk, ManifestError for a
    file that cannot be understood."""

    def __init__(self, manifests: Path, output_results: Path) -> None:
        self.path = manifests / "home.json"
        self._folders = {manifests / name: "paths.manifests" for name in (*LEDGER_FOLDERS, *FURTHER_FOLDERS)}
        self._folders[output_results] = OUTPUT_RESULTS

    def read(self) -> HomeFile | None:
        """What stands in ``home.json``, or None if there is no such file."""
        try:
            document = read_json(self.path)
            home_id, settings = document[ID], document.get(_SETTINGS)
        except FileNotFoundError:
            return None
        except (KeyError, TypeError, ValueError):
            home_id, settings = None, None
        if not isinstance(home_id, str) or not home_id or not isinstance(settings, dict | None):
            raise ManifestError(self.path, f'is not {{"id": "...", ...}}; restore it, or {WAY_BACK}')
        return HomeFile(home_id, settings)

    def create(self, home: HomeFile) -> bool:
        """Create ``home.json``. False: there is one, and it stays."""
        return create_text(self.path, _text(home))

    def write(self, home: HomeFile) -> None:
        replace_text(self.path, _text(home))

    def unmarked(self, home_id: str) -> list[Unmarked]:
        """The folders that do not carry the mark of ``home_id``."""
        found = []
        for folder, setting in self._folders.items():
            other_id = read_mark(folder)
            if other_id == home_id:
                continue
            if other_id is not None:
                problem = f"carries the mark ({MARK}) of another collection"
            elif is_there(folder):
                problem = f"does not carry the mark ({MARK}) that it was given"
            else:
                problem = "is gone"
            found.append(Unmarked(folder, setting, problem, other_id))
        return found

    def mark(self, home_id: str) -> None:
        """Make the folders that are not there, and give each its mark. Raises HomeMismatchError for one that carries
        another collection's; it keeps that."""
        for each in self.unmarked(home_id):
            if each.other_id is None:
                _make_folder(each.folder)
                create_text(each.folder / MARK, json.dumps({ID: home_id, FORMAT: NEWEST_FORMAT}) + "\n")
            if read_mark(each.folder) != home_id:
                raise HomeMismatchError(
                    f"{each.folder} carries the mark ({MARK}) of another collection: two collections cannot share a "
                    f"folder; change {each.setting}, or, if that collection's manifests are lost for good, delete that "
                    "file"
                )

    def check_marks(self) -> None:
        """Raise HomeMismatchError for a folder that is not what it was when its mark was made. A collection from before
        there were marks has none to look for."""
        home = self.read()
        if home is None:
            raise HomeMismatchError(f"{self.path} is gone: is the folder mounted, is paths.manifests right? {WAY_BACK}")
        if home.settings is None:
            return
        for each in self.unmarked(home.id):
            raise HomeMismatchError(
                f"{each.folder} {each.problem}: is it mounted, is {each.setting} right? If it is lost, restore it; if "
                f"it is the right one all the same: quire recover --accept-folders; {WAY_BACK}"
            )


def read_mark(folder: Path) -> str | None:
    """The id in the mark of ``folder``, or None if it has none. Raises ManifestError, OSError."""
    path = folder / MARK
    try:
        document = read_json(path)
        home_id = document[ID]
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (KeyError, TypeError, ValueError):
        home_id = None
    if not isinstance(home_id, str) or not home_id:
        raise ManifestError(path, f'is not {{"id": "..."}}; restore it, or {WAY_BACK}')
    return home_id


def _make_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    sync_folder(folder.parent)


def _text(home: HomeFile) -> str:
    document: dict[str, Any] = {ID: home.id, FORMAT: NEWEST_FORMAT}
    if home.settings is not None:
        document[_SETTINGS] = dict(home.settings)
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"

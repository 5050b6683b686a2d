"""What a scan remembers of folders changes nothing but the time that it takes: whatever happens to a tree, it finds
what a scan finds that remembers nothing.
"""

import asyncio
import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image

from assets.image_checks import BROKEN, check_row, with_rows
from assets.sources import PageImage
from config.settings import load_settings
from flows.gateways.files.storage import Storage
from flows.runtime.passes import OperatorsLease
from flows.runtime.untold import UntoldScan, untold_scan
from flows.runtime.wiring import make_storage
from flows.scan import ScanReport, scan_records
from flows.tables.image_checks import read_checks, write_checks
from flows.tables.image_index import index_path
from tests.images import gradient, tiff

SECOND = 1_000_000_000
DOCUMENTS = ("A/1900", "A/1901", "B/1900", "b/1900")
NAMES = (
    "1.jpg",
    "2.jpg",
    "3.jpg",
    "10.jpg",
    "2.png",
    "12r.jpg",
    "iv.jpg",
    "cover.jpg",
    "5.tif",
    "notes.txt",
    "x:y.jpg",
)


def image(width: int, kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (width, 400), 255).save(buffer, kind)
    return buffer.getvalue()


CONTENTS = (image(300, "JPEG"), image(301, "JPEG"), image(300, "PNG"), image(20, "PNG").replace(b"IEND", b"IEN0"), b"")


class World:
    """A tree of images, and two collections over it: one remembers folders, of the other the memory is deleted."""

    def __init__(self, root: Path) -> None:
        self.images, self.outside = root / "images", root / "outside"
        self.images.mkdir()
        self.outside.mkdir()
        self.clock = 1_000_000_000 * SECOND
        self.scans = [self._collection(root / name) for name in ("remembers", "forgets")]

    def _collection(self, root: Path) -> UntoldScan:
        root.mkdir()
        paths = {"page_images": "../images", "output_results": "output_results", "manifests": "manifests"}
        own = {"paths": paths, "record": {"document_fields": ["a", "b"]}}
        (root / "quire.yaml").write_text(json.dumps(own))
        made = load_settings(root / "quire.yaml", environ={})
        # The file system's clock is far ahead: each time that is set here is one that nothing changes behind.
        note = root / "manifests" / "index" / "file_systems.json"
        note.parent.mkdir(parents=True)
        found = root.stat()
        note.write_text(json.dumps({f"{found.st_dev}:{os.statvfs(root).f_fsid}": SECOND * 86_400 * 365}))
        return untold_scan(made, make_storage(made), OperatorsLease())

    def moved(self, *folders: Path) -> None:
        """The folders changed, each at another time than ever before."""
        for folder in folders:
            if folder.is_dir():
                self.clock += SECOND
                os.utime(folder, ns=(self.clock, self.clock))

    def scan(self, *, full: bool) -> list[ScanReport]:
        index_path(self.scans[1].services.storage).unlink(missing_ok=True)
        return [asyncio.run(scan_records(each, full=full)) for each in self.scans]

    # --- what happens

    def put(self, document: str, name: str, content: bytes) -> None:
        path = self.images / document / name
        if path.parent.exists() and not path.parent.is_dir():
            path.parent.unlink()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        self.moved(path.parent)

    def pages(self, document: str, name: str, count: int) -> None:
        path = self.images / document / f"{name}.tif"
        if path.parent.is_dir():
            path.write_bytes(tiff(*[gradient(300, 400 + at) for at in range(count)]))
            self.moved(path.parent)

    def remove(self, document: str, name: str) -> None:
        if (path := self.images / document / name).is_file():
            path.unlink()
            self.moved(path.parent)

    def rename(self, document: str, name: str, other: str) -> None:
        if (path := self.images / document / name).is_file():
            path.rename(path.with_name(other))
            self.moved(path.parent)

    def link(self, document: str, name: str, content: bytes) -> None:
        """What a link leads to changes, and nothing in the folder."""
        target = self.outside / f"{document.replace('/', '-')}-{name}"
        target.write_bytes(content)
        path = self.images / document / name
        if path.parent.is_dir() and not path.exists():
            path.unlink(missing_ok=True)
            path.symlink_to(target)
            self.moved(path.parent)

    def exchange(self, document: str, other: str) -> None:
        one, two = self.images / document, self.images / other
        if one.is_dir() and two.is_dir() and one != two:
            aside = self.images.parent / "aside"
            one.rename(aside)
            two.rename(one)
            aside.rename(two)

    def replace(self, document: str) -> None:
        """Another folder of the same time."""
        if (path := self.images / document).is_dir():
            found = path.stat()
            shutil.rmtree(path)
            path.mkdir()
            (path / "7.jpg").write_bytes(CONTENTS[0])
            os.utime(path, ns=(found.st_mtime_ns, found.st_mtime_ns))

    def drop(self, document: str) -> None:
        shutil.rmtree(self.images / document, ignore_errors=True)

    def file_instead(self, document: str) -> None:
        self.drop(document)
        if (path := self.images / document).parent.is_dir() and not path.exists():
            path.write_bytes(CONTENTS[0])

    def touch(self, document: str, name: str) -> None:
        """A file that is another one, in a folder that nothing is seen of: for who asks for every file."""
        path = self.images / document / name
        if path.is_file() and not path.is_symlink():
            folder = path.parent.stat()
            path.write_bytes(CONTENTS[1])
            os.utime(path.parent, ns=(folder.st_mtime_ns, folder.st_mtime_ns))

    def unfit(self, document: str, name: str, *, is_done: bool) -> None:
        """An upload has found that an image is not whole."""
        path = self.images / document / name
        if not path.is_file():
            return
        found, label = path.stat(), name.partition(".")[0]
        for scan in self.scans:
            storage = scan.services.storage
            at = os.path.relpath(path, storage.root)
            page = PageImage(("", ""), label, at, 0, "image/jpeg", found.st_size, found.st_mtime_ns, 300, 400)
            write_checks(storage, with_rows(read_checks(storage), [check_row(page, BROKEN, "cut off")]))
            if is_done:
                result = storage.output_results / document / f"{label}.json"
                result.parent.mkdir(parents=True, exist_ok=True)
                result.write_text("{}")


documents, names, contents = st.sampled_from(DOCUMENTS), st.sampled_from(NAMES), st.sampled_from(CONTENTS)
Change = Callable[[World], None]


def change(
    method: str, *arguments: st.SearchStrategy[object], **others: st.SearchStrategy[object]
) -> st.SearchStrategy[Change]:
    return st.tuples(st.tuples(*arguments), st.fixed_dictionaries(others)).map(
        lambda drawn: lambda world: getattr(world, method)(*drawn[0], **drawn[1])
    )


changes = st.one_of(
    change("put", documents, names, contents),
    change("put", documents, names, contents),
    change("pages", documents, st.sampled_from(["5", "7"]), st.integers(1, 3)),
    change("remove", documents, names),
    change("rename", documents, names, names),
    change("link", documents, names, contents),
    change("exchange", documents, documents),
    change("replace", documents),
    change("drop", documents),
    change("file_instead", documents),
    change("unfit", documents, names, is_done=st.booleans()),
)


def tables(storage: Storage) -> list[pa.Table | None]:
    return [storage.read_records(), storage.read_left_out(), read_checks(storage).sort_by("image_path")]


@given(steps=st.lists(st.lists(changes, min_size=0, max_size=4), min_size=2, max_size=6), data=st.data())
@settings(max_examples=25, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow])
def test_a_scan_that_remembers_folders_finds_what_one_finds_that_does_not(
    steps: list[list[Change]], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        world.put("A/1900", "1.jpg", CONTENTS[0])
        world.put("B/1900", "1.jpg", CONTENTS[0])
        for step in steps:
            for each in step:
                each(world)
            if is_full := data.draw(st.booleans()):
                world.touch(data.draw(documents), data.draw(names))

            remembered, forgotten = world.scan(full=is_full)

            assert remembered == forgotten
            one, other = (tables(scan.services.storage) for scan in world.scans)
            assert one == other

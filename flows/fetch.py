"""IIIF manifests become documents: their images are fetched into the tree of page images, where a scan finds them.
Needs no Prefect and no lock: each image is put in its place whole, as if a person copied files there.

Which images are asked for is decided in `assets.fetching`; how servers are asked stands in `flows.gateways.iiif`, what
is kept beside the images in `flows.gateways.files.fetched`.
"""

import asyncio
import hashlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from assets.canvas_names import page_stems
from assets.domain.errors import FetchError, FetchStopError, ImageError, QuireError
from assets.domain.page_names import PageNames
from assets.domain.record import SEPARATOR, check_field
from assets.fetching import (
    Canvas,
    FetchedPage,
    IiifCollection,
    IiifDocument,
    document_name,
    moved,
    plan_fetch,
)
from assets.page_order import OrderRules
from assets.sources import ImageHeader
from flows.gateways.files.fetched import FetchedFolder
from flows.gateways.iiif.client import Answer, IiifClient
from flows.gateways.iiif.images import ImageServers
from flows.gateways.iiif.manifest import JSON_TYPES, MAX_MANIFEST_BYTES, MAX_MANIFESTS, read_manifest
from flows.gateways.images.headers import read_header
from flows.runtime.progress import tell_step

MAX_DEPTH = 3
"""How many collections within collections are followed."""
MAX_FAILED_IN_A_ROW = 10
_SUFFIXES = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "image/tiff": "tif",
    "image/jp2": "jp2",
    "image/gif": "gif",
    "image/bmp": "bmp",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """``address``: of a manifest or a collection, or the path of a file that holds one; ``document``: the fields that
    it is to have, or None for the name that its address gives."""

    address: str
    document: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Naming:
    """``names``: what images are called by; ``label_of``: the page label that a scan makes of a file's name without its
    ending, None for none; ``order``: that of the pages of a document."""

    names: PageNames
    label_of: Callable[[str], str | None]
    order: OrderRules


@dataclass(frozen=True, slots=True)
class FetchRules:
    """``top``: the folder of all documents; ``fields``: the names of a document's fields; ``max_pixels``: a larger
    image is left out; ``names``: what images are called; ``replace``, ``dry_run``: as the command has them."""

    top: Path
    fields: Sequence[str]
    max_side_pixels: int | None
    max_pixels: int
    names: Naming
    replace: bool = False
    dry_run: bool = False


@dataclass(slots=True)
class DocumentReport:
    """What became of one manifest. ``document``: its key, "" where it has none; ``images``: pages that have one;
    ``wanted``: how many were to be fetched, ``fetched``: how many were; ``whole``: how many lay there already;
    ``notes``: what a person should know; ``failed``: what is not there for it, one line each."""

    address: str
    document: str = ""
    folder: str = ""
    label: str = ""
    rights: str = ""
    attribution: str = ""
    images: int = 0
    wanted: int = 0
    fetched: int = 0
    whole: int = 0
    notes: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Fetching:
    """One run of the command. ``tell``: is given each report as soon as it is whole."""

    client: IiifClient
    rules: FetchRules
    tell: Callable[[DocumentReport], None]
    reports: list[DocumentReport] = field(default_factory=list)
    _server: ImageServers = field(init=False)

    def __post_init__(self) -> None:
        self._server = ImageServers(self.client)

    async def run(self, wanted: Sequence[Wanted]) -> list[DocumentReport]:
        """Fetch all of it; what goes wrong with one manifest keeps no other back. Raises OSError."""
        for each in wanted:
            await self._one(each, 0, set())
        return self.reports

    async def _one(self, wanted: Wanted, depth: int, seen: set[str]) -> None:
        report = DocumentReport(wanted.address)
        seen.add(wanted.address)
        try:
            content, address = await self._manifest(wanted.address)
            found = read_manifest(content, address)
            if isinstance(found, IiifDocument):
                await self._document(wanted, found, content, report)
            else:
                await self._collection(wanted, found, depth, seen)
                return
        except QuireError as error:
            report.failed.append(str(error))
        self.reports.append(report)
        self.tell(report)

    async def _collection(self, wanted: Wanted, found: IiifCollection, depth: int, seen: set[str]) -> None:
        if wanted.document is not None or len(self.rules.fields) != 1:
            raise FetchError(
                wanted.address,
                f"is a collection of {len(found.manifests):,} manifests, of which each needs a document of its own: "
                "list them with their documents in a file for --list",
            )
        if depth >= MAX_DEPTH:
            raise FetchError(wanted.address, f"is a collection within {MAX_DEPTH} others; fetch it by itself")
        for address in (*found.manifests, *found.collections):
            if address in seen:
                continue
            if not self.client.is_asked(address):
                raise FetchStopError(wanted.address, "the rest of the collection is not asked for in this run")
            if len(seen) > MAX_MANIFESTS:
                raise FetchError(wanted.address, f"leads to more than {MAX_MANIFESTS:,} manifests; fetch parts of it")
            await self._one(Wanted(address), depth + 1, seen)

    async def _manifest(self, address: str) -> tuple[bytes, str]:
        if "://" not in address:
            return await asyncio.to_thread(_read_file, Path(address)), address
        answer = await self.client.get(address, accept=JSON_TYPES, most_bytes=MAX_MANIFEST_BYTES)
        return answer.content, address

    async def _document(self, wanted: Wanted, found: IiifDocument, content: bytes, report: DocumentReport) -> None:
        fields = self._fields(wanted, found)
        folder = FetchedFolder(self.rules.top.joinpath(*fields))
        report.document, report.folder = SEPARATOR.join(fields), str(folder.folder)
        report.label, report.rights, report.attribution = found.label, found.rights, found.attribution
        report.images = sum(bool(each.image) for each in found.canvases)
        report.notes += found.notes
        naming, stems = self.rules.names, folder.stems()
        names, why = page_stems(found.canvases, naming.names, label_of=naming.label_of, order=naming.order)
        report.notes += [f"images are called by their places, and not by their labels: {why}"] if why else []
        _check_folder(folder, found, wanted.address, stems)
        noted = folder.pages()
        if not self.rules.replace and (words := moved(found.canvases, noted)) is not None:
            raise FetchError(wanted.address, f"{words}. --replace takes the new order")
        plan = await asyncio.to_thread(
            plan_fetch,
            found.canvases,
            noted,
            names=names,
            stems=stems,
            is_whole=folder.is_whole,
            max_side_pixels=self.rules.max_side_pixels,
            replace=self.rules.replace,
        )
        report.whole, report.wanted = plan.whole, len(plan.fetch)
        report.notes += plan.notes
        if self.rules.dry_run:
            return
        folder.write_document(content, _document_of(found, wanted.address, content, self.client.now().isoformat()))
        try:
            await self._images(folder, plan.fetch, names, noted, report)
        finally:
            folder.write_sums()

    async def _images(
        self,
        folder: FetchedFolder,
        wanted: Sequence[tuple[Canvas, FetchedPage | None]],
        names: Mapping[int, str],
        noted: Mapping[int, FetchedPage],
        report: DocumentReport,
    ) -> None:
        in_a_row = 0
        files = {number: page.file for number, page in noted.items()}
        for count, (canvas, old) in enumerate(wanted):
            tell_step(f"images of {report.document or report.folder}", count, len(wanted))
            try:
                made = await self._image(folder, canvas, old, names[canvas.number])
                if made is not None:
                    before = files.get(canvas.number)
                    files[canvas.number] = made
                    # What was called so may be another page's name by now.
                    if before is not None and before not in files.values():
                        folder.remove_image(before)
            except FetchStopError:
                raise
            except QuireError as error:
                report.failed.append(f"page {canvas.number}: {error}")
                in_a_row += 1
                if in_a_row == MAX_FAILED_IN_A_ROW:
                    left = len(wanted) - count - 1
                    raise FetchStopError(
                        report.address, f"{in_a_row} images in a row have failed; {left:,} more are not asked for"
                    ) from None
                continue
            in_a_row = 0
            report.fetched += made is not None
            report.whole += made is None
        tell_step("images", 1, 1)

    async def _image(self, folder: FetchedFolder, canvas: Canvas, old: FetchedPage | None, name: str) -> str | None:
        """Fetch one image: the name of its file; None if what lies there is what the server has."""
        answer, address = await self._server.image(canvas, old, self.rules.max_side_pixels)
        if answer.is_same and old is not None:
            return None
        sha256 = hashlib.sha256(answer.content).hexdigest()
        if old is not None and sha256 == old.sha256:
            return None
        header = await asyncio.to_thread(_header_of, answer, address, self.rules.max_pixels)
        file = f"{name}.{_SUFFIXES.get(header.mime_type, 'jpg')}"
        page = FetchedPage(
            page=canvas.number,
            file=file,
            label=canvas.label,
            canvas=canvas.id,
            image=address,
            width=header.sizes[0][0],
            height=header.sizes[0][1],
            max_side_pixels=self.rules.max_side_pixels,
            bytes=len(answer.content),
            sha256=sha256,
            etag=answer.etag[:1_000],
            last_modified=answer.last_modified[:100],
            fetched_at=self.client.now().isoformat(),
        )
        await asyncio.to_thread(folder.put_image, page, answer.content)
        return file

    def _fields(self, wanted: Wanted, found: IiifDocument) -> tuple[str, ...]:
        names = self.rules.fields
        if wanted.document is None:
            if len(names) > 1:
                raise FetchError(
                    wanted.address,
                    f"documents have {len(names)} fields here ({', '.join(names)}): say which with --document, or list "
                    "manifests with their documents in a file for --list",
                )
            is_file = "://" not in wanted.address
            return (check_field(document_name(found.id if is_file else wanted.address)),) if names else ()
        if len(wanted.document) != len(names):
            if not names:
                raise FetchError(wanted.address, "record.document_fields is []: there is one document, without a name")
            said, fields = SEPARATOR.join(wanted.document), ", ".join(names)
            raise FetchError(wanted.address, f"the document {said!r} must have {len(names)} fields ({fields})")
        return tuple(check_field(each) for each in wanted.document)


def _check_folder(folder: FetchedFolder, found: IiifDocument, address: str, stems: set[str]) -> None:
    """Raise FetchError for a folder that holds something else."""
    before = folder.document()
    if before is None:
        if stems:
            raise FetchError(
                address, f"{folder.folder} holds files that were not fetched; name another document with --document"
            )
    elif before.get("id") != found.id and before.get("address") != address:
        theirs = before.get("address")
        raise FetchError(address, f"{folder.folder} holds what was fetched from {theirs}; name another with --document")


def _document_of(found: IiifDocument, address: str, content: bytes, now: str) -> dict[str, object]:
    return {
        "address": address,
        "id": found.id,
        "presentation_api": found.version,
        "label": found.label,
        "rights": found.rights,
        "attribution": found.attribution,
        "provider": found.provider,
        "pages": len(found.canvases),
        "manifest_sha256": hashlib.sha256(content).hexdigest(),
        "fetched_at": now,
    }


def _header_of(answer: Answer, address: str, max_pixels: int) -> ImageHeader:
    with tempfile.NamedTemporaryFile(prefix="quire-") as file:
        file.write(answer.content)
        file.flush()
        try:
            return read_header(file.name, max_pixels=max_pixels)
        except ImageError as error:
            kind = f" (the server calls it {answer.kind})" if answer.kind else ""
            raise FetchError(address, f"the image cannot be used: {error.reason}{kind}") from None


def _read_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_MANIFEST_BYTES + 1)
    except OSError as error:
        raise FetchError(str(path), f"no address with http:// or https://, and no file: {error.strerror}") from None
    if len(content) > MAX_MANIFEST_BYTES:
        raise FetchError(str(path), f"has more than {MAX_MANIFEST_BYTES:,} bytes, which no manifest has")
    return content

"""IIIF Presentation 3: a manifest for each document, with the text of each page as annotations beside its image, for
Mirador and others.

A manifest names its own address and those of its images, so it is known beforehand where the files will stand. Where an
image was fetched from a IIIF server its address there is named; else it is taken to stand below the base address by
its path from the root of the collection.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from assets.reading import FURNITURE, SCALE, Block
from exports.choosing import models_of
from exports.escaping import plain
from exports.images import upright_size
from exports.pages import Document, Page
from exports.places_of_text import in_pixels
from exports.registry import DocumentFormat, Job, Need

CONTEXT = "http://iiif.io/api/presentation/3/context.json"
_RIGHTS = ("http://creativecommons.org/", "https://creativecommons.org/", "http://rightsstatements.org/vocab/")
"""What the specification takes for ``rights``; all else is said in words."""


@dataclass(frozen=True)
class Iiif(DocumentFormat):
    def write(self, path: Path, job: Job, document: Document) -> None:
        address = f"{job.base_url}/{'/'.join(quote(each, safe='') for each in document.names)}/manifest.json"
        head = _head(address, job, document)
        # Canvas by canvas: a document may have any number of pages.
        with path.open("w", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(head, ensure_ascii=False)[:-1] + ', "items": [\n')
            for at, canvas in enumerate(_canvases(address, job, document)):
                file.write((",\n" if at else "") + json.dumps(canvas, ensure_ascii=False))
            file.write("\n]}\n")


def _head(address: str, job: Job, document: Document) -> dict[str, Any]:
    said = str(document.about.get("rights") or "")
    lines = [f"{pages:,} pages read by {name}" for name, pages in models_of(document.rows).items()]
    head: dict[str, Any] = {
        "@context": CONTEXT,
        "id": address,
        "type": "Manifest",
        "label": {"none": [plain(str(document.about.get("label") or document.name))]},
        "metadata": [_pair("Record", document.name), *(_pair("Text", line) for line in lines)],
        "behavior": ["paged"],
    }
    if said.startswith(_RIGHTS):
        head["rights"] = said.replace("https://creative", "http://creative", 1)
    if document.rights:
        head["requiredStatement"] = _pair("Rights", document.rights)
    source = str(document.about.get("id") or "")
    if urlsplit(source).scheme in ("http", "https"):
        head["seeAlso"] = [{"id": source, "type": "Dataset", "format": "application/ld+json"}]
    return head


def _pair(label: str, value: str) -> dict[str, Any]:
    """Viewers take HTML in a value that begins with it, so that it is escaped there."""
    text = plain(value)
    return {"label": {"en": [label]}, "value": {"none": [text.replace("<", "&lt;") if text[:1] == "<" else text]}}


def _canvases(address: str, job: Job, document: Document) -> Iterator[dict[str, Any]]:
    for page in document.texts():
        row = page.row
        width, height = upright_size(document.image_path(row["image_path"]), row)
        canvas = f"{address}/canvas/{row['number']}"
        body = {"id": _image_address(job, document, page), "type": "Image", "width": width, "height": height}
        # By its type where it is one that browsers show.
        body |= {"format": row["image_mime_type"]}
        painting = {"id": f"{canvas}/image", "type": "Annotation", "motivation": "painting", "body": body}
        painting["target"] = canvas
        yield {
            "id": canvas,
            "type": "Canvas",
            "label": {"none": [page.label]},
            "width": width,
            "height": height,
            "items": [{"id": f"{canvas}/page", "type": "AnnotationPage", "items": [painting]}],
            **({"annotations": [_text_page(canvas, page, (width, height))]} if page.is_read else {}),
        }


def _text_page(canvas: str, page: Page, size: tuple[int, int]) -> dict[str, Any]:
    """An annotation for each block that has a box, and one of all the page for the rest."""
    blocks = [block for block in page.content.blocks if block.text.strip() and block.kind not in FURNITURE]
    targets = [(block.text, _target(canvas, block, size)) for block in blocks if block.box is not None]
    if rest := "\n\n".join(block.text for block in blocks if block.box is None):
        targets.append((rest, canvas))
    language = {"language": page.content.language} if page.content.language not in ("", "und") else {}
    return {
        "id": f"{canvas}/text",
        "type": "AnnotationPage",
        "items": [
            {
                "id": f"{canvas}/text/{number}",
                "type": "Annotation",
                "motivation": "supplementing",
                "body": {"type": "TextualBody", "value": plain(text), "format": "text/plain", **language},
                "target": target,
            }
            for number, (text, target) in enumerate(targets, 1)
        ],
    }


def _target(canvas: str, block: Block, size: tuple[int, int]) -> str:
    x, y, width, height = in_pixels(block.box or (0, 0, SCALE, SCALE), size)
    return f"{canvas}#xywh={x},{y},{width},{height}"


def _image_address(job: Job, document: Document, page: Page) -> str:
    path = Path(page.row["image_path"])
    fetched = document.fetched.get(path.name)
    if fetched and urlsplit(fetched[1]).scheme in ("http", "https"):
        return quote(fetched[1], safe=":/?#[]@!$&'()*+,;=%~")
    return f"{job.base_url}/{quote(page.row['image_path'])}"


FORMAT = Iiif(
    "IIIF Presentation 3, a manifest a document",
    ".json",
    need=Need.TEXT,
    needs_base_url=True,
    file_name="manifest.json",
)

"""``quire init``: a first ``quire.yaml`` for what lies in a folder, what was guessed, and what to type next."""

import json
import os
from pathlib import Path, PurePosixPath

from assets.domain.errors import DiskError, QuireError
from assets.domain.labels import USUAL_PAGES
from config.settings import USUAL_FILES
from flows.gateways.files.presence import is_folder
from flows.setup.guess import ONE_DOCUMENT, Guess, Listing, collection_name, guess
from flows.setup.look import list_files

NAME = str(USUAL_FILES[0])


def start_collection(folder: Path, *, dry_run: bool = False) -> str:
    """Write ``quire.yaml`` into ``folder``, unless ``dry_run``; what to say of it. Raises QuireError where there is one
    already, or nothing that a page could be made of; nothing is written then."""
    folder = folder.absolute()
    file = folder / NAME
    if not is_folder(folder):
        raise QuireError(f"{folder} is no folder; name the one that your scans lie in")
    if os.path.lexists(file):
        raise QuireError(
            f"{file} is there already and stays as it is; change it by hand, or move it away to have another made"
        )
    listing = list_files(folder)
    found = guess(listing)
    if found is None:
        raise QuireError(_nothing_found(folder, listing))
    name = collection_name(folder.resolve().name)
    text = text_of(found, name)
    if dry_run:
        return "\n".join([*_told(found), "", f"{file} would be:", "", text.rstrip()])
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(text)
    except OSError as error:
        raise (DiskError.of(error) or error) from None
    return "\n".join([*_told(found), "", f"Written: {file}. Look through it, then type", *_next(folder)])


def text_of(found: Guess, collection: str) -> str:
    """The file: what was guessed, what a newcomer should know of, and where the rest is."""
    example = f"   # {_one_line(found.example[0])} is the record {_one_line(found.example[1])}" if found.example else ""
    images = found.page_images or PurePosixPath("page_images")
    lines = [
        "# Made by quire init from what lies here. What is not in this file is as shipped; every setting is described",
        "# in docs/configuration.md.",
        "",
        f"collection: {_yaml(collection)}   # names the Variables in Prefect; no two collections may share it",
        "",
        "record:",
        *_record(found),
    ]
    if found.page_pattern != USUAL_PAGES:
        lines.append(f"  page_pattern: {_yaml(found.page_pattern)}   # of an image's name; its group is the page")
    lines += [
        "",
        "paths:",
        f"  page_images: {_yaml(str(images))}{example}",
    ]
    if found.source_documents is not None and found.pdf_example is not None:
        pdf, document = found.pdf_example
        lines.append(
            f"  source_documents: {_yaml(str(found.source_documents))}"
            f"   # PDFs: {_one_line(pdf)} becomes the images of {_one_line(document)}, in page_images"
        )
    lines += [
        "  output_results: results   # results/.../1.json will be the text of page 1",
        "  manifests: manifests      # what Quire knows; keep it, with Prefect's database",
        "",
        "model:",
        "  name: gemini-3.8-flash    # docs/costs.md compares the models",
        "",
        "schema_options:",
        "  rotation: true            # each page tells whether it lies sideways; quire rotated lists those",
        "",
        "context:",
        "  mode: none                # previous_result: a page goes with the text of the one before, and waits for it",
        "",
        "budget:",
        "  max_usd_total: 5          # nothing is sent that could pass it; raise it once you know what a page costs",
    ]
    return "\n".join(lines) + "\n"


def _record(found: Guess) -> list[str]:
    if not found.document_fields:
        return [
            "  document_fields: []       # the images lie in no folder: they are one document",
            f"  document: {ONE_DOCUMENT}        # its name. Change it now, or never: it is part of what is read",
        ]
    return [
        "  # The folders above a page, outermost first. Rename them now, or never: they are part of what is read.",
        f"  document_fields: [{', '.join(found.document_fields)}]",
    ]


def _told(found: Guess) -> list[str]:
    lines = []
    if found.page_images is not None and found.example is not None:
        path, key = found.example
        lines.append(
            f"{_counted(found.pages, 'page image')} of {_counted(found.documents, 'document')} in "
            f"{_folder(found.page_images)}: {path} is taken for the record {key}"
        )
    if found.source_documents is not None and found.pdf_example is not None:
        path, document = found.pdf_example
        lines.append(
            f"{_counted(found.pdfs, 'PDF')} in {_folder(found.source_documents)}: {path} is taken for the document "
            f"{document}; quire scan makes its page images"
        )
    if not found.document_fields:
        lines.append("the images lie in no folder, so they are one document; record.document is its name")
    elif len(found.document_fields) > 1 or found.document_fields != ("volume",):
        lines.append(f"the folders above a page are called {', '.join(found.document_fields)}: these are only names")
    return [*lines, *found.notes]


def _next(folder: Path) -> list[str]:
    here = "" if folder == Path.cwd() else f"cd {folder} && "
    return [
        f"  {here}quire up --trial      # Prefect's server and a local Gemini, to try it for nothing; leave it running",
        "and in another terminal, in the same folder",
        "  quire scan                # which pages there are",
        "  quire check               # what would be sent for one of them",
        "  quire estimate            # what all of them would cost",
        "  quire run --watch         # read them",
    ]


def _nothing_found(folder: Path, listing: Listing) -> str:
    also = f" ({listing.iiif[0]} looks like a IIIF manifest: quire fetch fetches its images)" if listing.iiif else ""
    return (
        f"{folder}: no image and no PDF lies here or below{also}. Put scans into a folder for each document, such as "
        "scans/book/1.jpg, or PDFs such as pdfs/book.pdf, then run quire init again"
    )


def _folder(path: PurePosixPath) -> str:
    return "this folder" if path == PurePosixPath() else f"{path}/"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _yaml(text: str) -> str:
    """A text as YAML takes it: in quotes unless it is a plain name."""
    is_plain = text.replace("/", "").replace("_", "").replace("-", "").isalnum() and text.isascii()
    return (
        text
        if is_plain and not text[0].isdigit() and text[0] != "-" and text.lower() not in _WORDS
        else json.dumps(text, ensure_ascii=False)
    )


_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def _one_line(text: object) -> str:
    """For a comment: a file's name may hold anything."""
    return "".join(each if each.isprintable() else "?" for each in str(text))

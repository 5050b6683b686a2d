"""An export from its words to its end: `quire export`. Reads the collection and writes nothing into it, and asks no
Prefect. What is exported is chosen in `exports.choosing`, files are written in `exports.work`.
"""

import json
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow.compute as pc

from assets.domain.errors import QuireError
from assets.reading import BOX, TEXT_NAMES, has_boxes, has_text_field
from assets.selection import Selection
from config.schema_loader import load_schema
from config.settings import Settings, load_settings
from exports.choosing import choose, models_of
from exports.places import Place
from exports.registry import Format, Job, Need, RowFormat, format_of
from exports.report import Exported
from exports.work import Work
from flows.runtime.extras import require_extra
from flows.runtime.wiring import config_path, make_storage

EXTRA = "export"


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed. ``selection``: which pages, all if it says nothing; ``base_url``: where the files will stand."""

    format: str
    to: Path
    selection: Selection = field(default_factory=Selection)
    base_url: str = ""
    dry_run: bool = False


def export(config: str | None, asked: Asked) -> Exported:
    """Do it. Raises QuireError, OSError; what is wrong with a single page or document is told at the end."""
    format_ = format_of(asked.format)
    require_extra(EXTRA, *format_.packages)
    settings = load_settings(config_path(config))
    storage = make_storage(settings)
    job = _job(settings, format_, asked)
    to = asked.to.absolute()
    _expect_outside(settings, to)
    chosen = choose(settings, storage, asked.selection)
    if not chosen.with_result:
        raise QuireError("no page that is meant has a result yet; nothing is exported")
    done = Exported(
        asked.format,
        str(asked.to),
        unread=len(chosen.rows) - chosen.with_result,
        unknown=chosen.unknown,
        models=dict(models_of(chosen.rows)),
        usd=float(pc.sum(chosen.rows["usd"], min_count=0).as_py()),
        dry_run=asked.dry_run,
    )
    kind = f"{asked.format} of {settings.collection or 'the collection'} in {settings.root}"
    place = Place.file(to, kind) if isinstance(format_, RowFormat) else Place.folder(to, kind)
    # What decides the bytes besides the pages themselves.
    how = json.dumps([asked.format, format_.number, job.version, job.base_url, job.schema], sort_keys=True)
    work = Work(format_, job, place, chosen, how, done)
    if asked.dry_run:
        place.read()
        work.look()
    else:
        with place.held():
            work.run()
    return done


def _job(settings: Settings, format_: Format, asked: Asked) -> Job:
    schema = load_schema(settings).model_json_schema()
    name = settings.schema_.rpartition(":")[2]
    if format_.need is not Need.RESULTS and not has_text_field(schema):
        raise QuireError(
            f"{name} has no field of text ({', '.join(TEXT_NAMES)}), of which {asked.format} is made; jsonl, csv and "
            "parquet hold all of any result"
        )
    if format_.need is Need.BOXES and not has_boxes(schema):
        raise QuireError(
            f"{name} has no boxes ({BOX}), without which {asked.format} cannot say where text stands; ask for them: "
            "schema_options: {boxes: true} for PageTranscript, then quire rerun --outdated schema (docs/export.md)"
        )
    return Job(
        schema=schema,
        schema_name=name,
        document_fields=settings.record.document_fields,
        version=version("quire"),
        base_url=_base_url(format_, asked),
        collection=settings.collection,
        max_image_pixels=settings.safety.max_image_pixels,
        jpeg_quality=settings.uploads.jpeg_quality,
    )


def _base_url(format_: Format, asked: Asked) -> str:
    if not format_.needs_base_url:
        return ""
    if not asked.base_url:
        raise QuireError(
            f"{asked.format} names its own addresses: say with --base-url where the files will stand, such as "
            "https://example.org/books"
        )
    parts = urlsplit(asked.base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise QuireError(f"--base-url {asked.base_url!r} is no address such as https://example.org/books")
    return asked.base_url.rstrip("/")


def _expect_outside(settings: Settings, to: Path) -> None:
    """What lies among the images would become pages, and what lies among the results, results."""
    paths = settings.paths
    folders = (paths.page_images, paths.output_results, paths.manifests, paths.source_documents)
    for folder in folders:
        if folder is not None and to.resolve().is_relative_to(folder.resolve()):
            raise QuireError(f"{to} lies in {folder}, which is the collection's own; name another place with --to")

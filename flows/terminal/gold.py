"""``quire gold``: which gold there is, and truth that is brought from elsewhere."""

import hashlib
import json
from collections import Counter
from pathlib import Path

import pyarrow as pa

from assets.domain.errors import QuireError
from assets.domain.record import encode_ranges
from assets.gold import IMPORT_SCHEMA, GoldKind, pages_of_files
from config.settings import load_settings
from flows.gateways.files.atomic import naming
from flows.gateways.files.presence import is_folder
from flows.gateways.files.storage import Storage
from flows.runtime.extras import require_extra
from flows.runtime.printable import printable
from flows.runtime.wiring import config_path, make_storage, new_submission_id, utc_now
from flows.tables.gold import read_gold

MAX_LISTED = 20
MAX_FILE_BYTES = 64 << 20


def gold_text(config: str | None, *, as_json: bool) -> str:
    """What gold there is. Raises QuireError, OSError."""
    settings = load_settings(config_path(config))
    rows = read_gold(make_storage(settings)).to_pylist()
    if as_json:
        return json.dumps(
            {"pages": len(rows), "gold": [{**row, "at": row["at"].isoformat()} for row in rows]}, indent=1
        )
    if not rows:
        return "no gold yet: correct or check some pages, or bring truth from elsewhere with quire gold import"
    counts = Counter(row["kind"] for row in rows)
    lines = [
        f"{len(rows)} {'page is' if len(rows) == 1 else 'pages are'} gold: "
        + ", ".join(f"{counts[kind]} {kind}" for kind in GoldKind if counts[kind])
    ]
    groups: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        groups.setdefault((row["kind"], row["by"]), []).append(row["record_key"])
    for (kind, by), keys in sorted(groups.items()):
        ranges = encode_ranges(keys)
        more = f" and {len(ranges) - MAX_LISTED} more" if len(ranges) > MAX_LISTED else ""
        lines.append(printable(f"  {kind} by {by}: {', '.join(ranges[:MAX_LISTED])}{more}"))
    return "\n".join(lines)


def import_text(config: str | None, folder: Path, *, by: str, dry_run: bool) -> str:
    """Bring the truth of pages from files of ``folder`` and the folders in it. Raises QuireError, OSError."""
    require_extra("quality", "defusedxml")
    from assets.quality.truth import FORMATS

    settings = load_settings(config_path(config))
    storage = make_storage(settings)
    if not is_folder(folder):
        raise QuireError(f"{folder} is no folder; name the one with the texts")
    records = storage.read_records()
    if records is None:
        raise QuireError("nobody has looked which pages there are; run quire scan first")
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if _is_one(path, FORMATS))
    if not files:
        raise QuireError(f"{folder} holds no file that ends in {' or '.join(FORMATS)}; name the folder with the texts")
    depth = len(settings.record.document_fields)
    pages, problems = pages_of_files(files, records["record_key"], records["image_path"], depth=depth)
    table, more = _read(storage, folder, pages, by)
    problems |= more
    said = "would be brought; nothing is done" if dry_run else "are gold now"
    lines = [f"{len(table)} of {len(files)} files {said}"]
    if len(table) and not dry_run:
        lines[0] += f": {storage.imported_gold.add_import(table['import_id'][0].as_py(), table)}"
    listed = sorted(problems.items())
    lines += [f"  left out {name}: {problem}" for name, problem in listed[:MAX_LISTED]]
    if len(listed) > MAX_LISTED:
        lines.append(f"  ... and {len(listed) - MAX_LISTED} more")
    if not len(table):
        raise QuireError("; ".join(line.strip() for line in lines))
    return "\n".join(printable(line) for line in lines)


def _is_one(path: Path, formats: dict[str, str]) -> bool:
    return path.suffix.lower() in formats and not path.name.startswith(".") and not is_folder(path)


def _read(storage: Storage, folder: Path, pages: dict[str, str], by: str) -> tuple[pa.Table, dict[str, str]]:
    """What is in the files, and why some of them are left out. Columns: IMPORT_SCHEMA."""
    from assets.quality.truth import TruthError, truth_of

    rows, problems = [], {}
    import_id, now = new_submission_id(), utc_now()
    for name, key in sorted(pages.items(), key=lambda each: each[1]):
        path = folder / name
        with naming(path):
            content = path.read_bytes() if path.stat().st_size <= MAX_FILE_BYTES else None
        if content is None:
            problems[name] = f"has more than {MAX_FILE_BYTES:,} bytes"
            continue
        try:
            truth = truth_of(name, content)
        except TruthError as error:
            problems[name] = str(error)
            continue
        rows.append(
            {
                **{"record_key": key, "import_id": import_id, "imported_at": now, "imported_by": by},
                **{"source": str(path), "source_sha256": hashlib.sha256(content).hexdigest(), "format": truth.format},
                **{"text": truth.text, "body": truth.body},
            }
        )
    return pa.Table.from_pylist(rows, schema=IMPORT_SCHEMA), problems

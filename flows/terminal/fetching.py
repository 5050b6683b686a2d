"""``quire fetch``: IIIF manifests become documents in the tree of page images. What is fetched, and how, stands in
`flows.fetch`; neither a pass nor Prefect is needed.
"""

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from assets.domain.errors import ConfigError, QuireError
from assets.domain.record import SEPARATOR
from assets.page_order import OrderRules
from config.settings import Settings, load_settings
from flows.fetch import DocumentReport, Fetching, FetchRules, Naming, Wanted
from flows.gateways.files.image_files import label_by
from flows.gateways.iiif.client import open_iiif
from flows.runtime.printable import printable_json
from flows.terminal.display import Display, Loudness
from flows.terminal.facts import short

MAX_LIST_BYTES = 10_000_000
_MOST_LINES = 20
REQUESTS_PER_IMAGE = 2
"""What the server can do, then the image."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed. ``into``: a folder, where there is no configuration yet; ``listed``: a file of addresses;
    ``document``: the key of the one document that is fetched."""

    addresses: Sequence[str]
    listed: Path | None = None
    document: str | None = None
    into: Path | None = None
    replace: bool = False
    dry_run: bool = False


async def fetch(config: str | None, asked: Asked, *, as_json: bool, loudness: Loudness) -> tuple[str, bool]:
    """Fetch it all; what to say at the end, and whether all is there that was asked for. Raises QuireError, OSError."""
    settings = _settings(config, asked)
    wanted = _wanted(asked)
    rules = FetchRules(
        top=asked.into.absolute() if asked.into is not None else settings.paths.page_images,
        fields=("document",) if asked.into is not None else _fields(settings),
        max_side_pixels=settings.iiif.max_side_pixels,
        max_pixels=settings.safety.max_image_pixels,
        names=_naming(settings),
        replace=asked.replace,
        dry_run=asked.dry_run,
    )
    display = Display(Console(highlight=False), Loudness.QUIET if as_json else loudness)

    def tell(report: DocumentReport) -> None:
        for line in _lines(report, asked, settings.iiif.requests_per_second):
            display.say(line)

    async with open_iiif(
        requests_per_second=settings.iiif.requests_per_second,
        attempts=settings.retries.attempts,
        backoff_seconds=settings.retries.backoff_seconds,
        allow_private=settings.iiif.allow_private_addresses,
        version=version("quire"),
        sleep=asyncio.sleep,
        now=lambda: datetime.now(UTC),
        monotonic=time.monotonic,
    ) as client:
        with display.live():
            reports = await Fetching(client, rules, tell).run(wanted)
    is_all = not any(report.failed for report in reports)
    if as_json:
        return printable_json({"documents": [asdict(each) for each in reports], "dry_run": asked.dry_run}), is_all
    return "\n".join(_end(reports, asked, rules)), is_all


def _naming(settings: Settings) -> Naming:
    pattern = re.compile(settings.record.page_pattern)
    order = OrderRules(settings.record.page_order, settings.record.page_order_names)
    return Naming(settings.iiif.page_names, lambda stem: label_by(pattern, stem), order)


def _fields(settings: Settings) -> tuple[str, ...]:
    return () if settings.record.fixed else settings.record.document_fields


def _settings(config: str | None, asked: Asked) -> Settings:
    try:
        return load_settings(Path(config) if config else None)
    except ConfigError as error:
        # Who has no scans yet has no configuration either: quire init makes one of what lies there.
        if asked.into is not None and config is None and not error.key:
            return Settings()
        if asked.into is None and config is None and not error.key:
            raise QuireError(f"{error}; or have the images fetched into a folder first, with --into scans") from None
        raise


def _wanted(asked: Asked) -> list[Wanted]:
    listed = _listed(asked.listed) if asked.listed is not None else []
    wanted = [Wanted(each) for each in asked.addresses] + listed
    if not wanted:
        raise QuireError("name the address of a IIIF manifest, or a file of them with --list")
    if asked.document is not None:
        if len(wanted) != 1:
            raise QuireError("--document is for one manifest; list several with their documents in a file for --list")
        return [Wanted(wanted[0].address, tuple(asked.document.split(SEPARATOR)))]
    return wanted


def _listed(path: Path) -> list[Wanted]:
    """A line for each manifest: its address and, after a blank, its document, such as CA:Lincoln:2023."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_LIST_BYTES).decode("utf-8-sig")
    except OSError as error:
        raise QuireError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise QuireError(f"{path} is not in UTF-8") from None
    found = []
    for line in text.splitlines():
        address, _, document = line.strip().partition(" " if "\t" not in line.strip() else "\t")
        if address and not address.startswith("#"):
            found.append(Wanted(address, tuple(document.strip().split(SEPARATOR)) if document.strip() else None))
    return found


def _lines(report: DocumentReport, asked: Asked, requests_per_second: float) -> list[str]:
    lines = []
    if report.folder:
        name = report.document or short(Path(report.folder))
        title = f' of "{report.label}"' if report.label else ""
        lines.append(
            f"{name}: {report.images:,} images{title}, {report.whole:,} there already, "
            + (
                f"{report.wanted:,} to be fetched into {short(Path(report.folder))}, "
                f"{_minutes(report.wanted * REQUESTS_PER_IMAGE / requests_per_second)} at least"
                if asked.dry_run
                else f"{report.fetched:,} fetched into {short(Path(report.folder))}"
            )
        )
        rights = "; ".join(dict.fromkeys(each for each in (report.rights, report.attribution) if each))
        lines.append(f"  rights: {rights or 'the manifest says nothing of them'}")
    lines += [f"  {note}" for note in report.notes]
    lines += [f"{'  ' if report.folder else ''}{line}" for line in report.failed[:_MOST_LINES]]
    if len(report.failed) > _MOST_LINES:
        lines.append(f"  and {len(report.failed) - _MOST_LINES:,} more")
    return lines


def _end(reports: Sequence[DocumentReport], asked: Asked, rules: FetchRules) -> list[str]:
    failed = sum(len(report.failed) for report in reports)
    lines = []
    if failed:
        faults = "1 fault" if failed == 1 else f"{failed:,} faults"
        lines.append(f"{faults}; what is there stays, and the same command fetches what is missing")
    if asked.dry_run:
        lines.append("nothing is done: no image was asked for, and nothing is written")
    elif any(report.fetched or report.whole for report in reports):
        lines.append("next: quire init" if asked.into is not None else "next: quire scan")
    return lines or [f"nothing is there to be fetched into {short(rules.top)}"]


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:,.0f} minutes" if seconds >= 120 else f"{seconds:,.0f} seconds"

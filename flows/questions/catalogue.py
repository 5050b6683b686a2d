"""``quire assets``: each asset with what it is made from, what was made of it last, and whether its checks hold.

All of it is read off what stands there, files and Variables, now. Of Prefect's records only the name of the run is
taken, and only of one that bears what the files show: a database that was restored or pruned knows less, and tells
nothing that is not so. One document at each asset stands in `document`.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import httpx

from assets.catalog import CATALOG
from assets.domain.errors import PrefectUnavailableError, QuireError
from assets.domain.ledger import Ledger
from assets.graph import Asset
from assets.graph_picture import Box, graph_svg
from config.settings import Settings, load_settings
from flows.gateways.files.storage import Storage
from flows.gateways.prefect.api import PrefectApi
from flows.gateways.prefect.made import Made
from flows.questions.asset_readers import NOTHING_YET, READERS, UNKNOWN, Known, Look
from flows.questions.status import read_ledger_or_files
from flows.runtime.mirror import MadeHere
from flows.runtime.telling import Teller
from flows.runtime.wiring import config_path, make_storage, tags_of, utc_now

BROKEN = "broken"
_AS_IT_IS_MADE = "looked at as it is made: what breaks it is not written"
_SCANNED = ("page_images", "record_manifest")
_SLACK = timedelta(seconds=2)
"""Between the clock of a file system and that of a run."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """``holds``: None where nobody could look; ``said``: what is wrong, or why nobody could."""

    name: str
    holds: bool | None
    said: str = ""


@dataclass(frozen=True, slots=True)
class MadeBy:
    """The run that has made it: ``id`` and ``name`` of a flow run in Prefect."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class AssetStanding:
    """``state``: "stands", "observed" (made outside), "nothing yet", "not kept" (made anew each time), "broken" (a
    check does not hold) or "unknown" (it cannot be read); ``said``: why, or what is to be said besides; ``version``:
    what of it was made last, a submission, or None; ``made_at``: when (UTC); ``run``: None where Prefect does not know
    it, or not any more; ``counts``: of what -> how many."""

    name: str
    description: str
    upstream: tuple[str, ...]
    state: str
    said: str = ""
    version: str | None = None
    made_at: datetime | None = None
    run: MadeBy | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    checks: tuple[CheckResult, ...] = ()

    @property
    def task(self) -> str:
        """The name that the task run has which made it."""
        return self.name if self.name in _SCANNED else f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """``assets``: in data-flow order; ``at``: when it was looked at (UTC); ``prefect_problem``: why Prefect was not
    asked, or None."""

    collection: str
    at: datetime
    assets: tuple[AssetStanding, ...]
    prefect_problem: str | None

    def as_json(self) -> dict[str, Any]:
        document = asdict(self)
        document["at"] = self.at.isoformat()
        for each in document["assets"]:
            each["made_at"] = each["made_at"].isoformat() if each["made_at"] else None
        return document


async def read_catalogue(config: str | None) -> Catalogue:
    """Raises ConfigError, ManifestError."""
    settings = load_settings(config_path(config))
    storage = make_storage(settings)
    ledger, problem = await read_ledger_or_files(settings, storage)
    standings = await asyncio.to_thread(read_standings, settings, storage, ledger, problem, now=utc_now())
    if problem is None:
        async with PrefectApi() as api:
            standings, problem = await with_runs(standings, Teller(api, collection=settings.collection), settings)
    return Catalogue(settings.collection, utc_now(), tuple(standings), problem)


def read_standings(
    settings: Settings,
    storage: Storage,
    ledger: Ledger,
    problem: str | None = None,
    known: Known | None = None,
    *,
    now: datetime,
) -> list[AssetStanding]:
    """All assets without the runs that made them. ``problem``: why ``ledger`` is what the files alone tell; ``known``:
    what was read already. What of an asset cannot be read is its state, and stops nothing."""
    look = Look(settings, storage, ledger, problem, known, now)
    return [_standing(asset, look) for asset in CATALOG.values()]


async def with_runs(
    standings: Sequence[AssetStanding],
    teller: Teller,
    settings: Settings,
    here: Mapping[str, MadeHere] | None = None,
) -> tuple[list[AssetStanding], str | None]:
    """With the runs that made them, as far as Prefect knows, and why it could not be asked. ``here``: what this very
    pass has made, of which Prefect may not have heard yet."""
    standings = [_with_run_of_this_pass(each, here or {}) for each in standings]
    asked = [each.task for each in standings if each.run is None and each.made_at is not None]
    try:
        made = await teller.runs_that_made(asked, tags=tags_of(settings)[:2])
    except (PrefectUnavailableError, httpx.HTTPError) as error:
        return standings, str(error)
    return [each if each.run is not None else _with_run(each, made) for each in standings], None


def _with_run_of_this_pass(each: AssetStanding, here: Mapping[str, MadeHere]) -> AssetStanding:
    made = here.get(each.name)
    if made is None or (each.name not in _SCANNED and made.about != each.version):
        return each
    return replace(each, run=MadeBy(str(made.run), made.run_name))


def _with_run(each: AssetStanding, made: Iterable[Made]) -> AssetStanding:
    """A submission has the run that bears its id. The record manifest has none: it is of the run that was making it at
    the moment at which the file was written."""
    for run in made:
        if run.task != each.task or each.made_at is None:
            continue
        if each.name not in _SCANNED or run.began - _SLACK <= each.made_at <= run.ended + _SLACK:
            return replace(each, run=MadeBy(str(run.run), run.run_name))
    return each


def _standing(asset: Asset[..., Any], look: Look) -> AssetStanding:
    about = (asset.name, asset.description, asset.upstream)
    try:
        seen = READERS[asset.name](look)
    except (QuireError, OSError) as error:
        nobody = tuple(CheckResult(each.name, None, "it cannot be read") for each in asset.checks)
        return AssetStanding(*about, UNKNOWN, str(error), checks=nobody)
    checks = []
    for check in asset.checks:
        problem = check.holds(seen.value) if seen.value is not None else None
        if seen.value is None:
            why = seen.said if seen.state in (NOTHING_YET, UNKNOWN) else _AS_IT_IS_MADE
            checks.append(CheckResult(check.name, None, why))
        else:
            checks.append(CheckResult(check.name, problem is None, problem or ""))
    state = BROKEN if any(each.holds is False for each in checks) else seen.state
    return AssetStanding(*about, state, seen.said, seen.version, seen.made_at, None, dict(seen.counts), tuple(checks))


def catalogue_svg(assets: Iterable[AssetStanding]) -> str:
    """The graph as a picture, each asset with its first number and when it was made."""
    return graph_svg(CATALOG, {each.name: Box(each.state, _in_a_box(each)) for each in assets})


def _in_a_box(each: AssetStanding) -> str:
    count = next((f"{count:,} {what}" for what, count in each.counts.items()), each.state)
    return count + (f", {each.made_at:%m-%d %H:%M} UTC" if each.made_at is not None else "")

"""Checks of what a pass talks to: Prefect's server with its Variables, Gemini with the key, and the clocks of both."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from importlib.metadata import version

from assets.domain.errors import GeminiAccessError, QuireError
from config.settings import Settings
from flows.doctor.check import Check, Verdict
from flows.gateways.files.storage import Storage
from flows.gateways.gemini.clock import service_time
from flows.gateways.ports import LedgerGateway
from flows.gateways.prefect.api import PrefectApi
from flows.gateways.prefect.server import Server, look_at_server
from flows.protocol.active import resolve
from flows.runtime.home import check_home
from flows.runtime.ready import check_ready
from flows.runtime.wiring import find_api_key, open_services
from flows.tables.weighing import enqueued_tokens

CLOCKS_APART_SECONDS = 60
MEMORY = "prefect.server.concurrency.lease_storage.memory"
FILES = "prefect.server.concurrency.lease_storage.filesystem"


async def check_prefect(config: str | None, settings: Settings, now: Callable[[], datetime]) -> list[Check]:
    """The server, its database, where it keeps leases, its clock, its pools."""
    try:
        await check_ready(config)
        async with PrefectApi() as api:
            server = await look_at_server(api)
    except QuireError as error:
        return [Check("Prefect", Verdict.STOP, str(error))]
    ours = version("prefect")
    versions = f"server {server.version}, here {ours}"
    is_near = server.version.split(".")[:2] == ours.split(".")[:2]
    return [
        Check("Prefect", Verdict.OK, versions)
        if is_near
        else Check("Prefect", Verdict.LOOK, versions, "run the same version on both sides"),
        _database(server, settings),
        _leases(server),
        _clock("clock and Prefect's", server.said_at, now()),
        _pools(server),
    ]


def _database(server: Server, settings: Settings) -> Check:
    if server.database == "SQLite" and settings.execution.max_concurrent_batches > 50:
        return Check("database", Verdict.LOOK, "SQLite", "it answers 503 under load: PostgreSQL for so many batches")
    return Check("database", Verdict.OK, server.database)


def _leases(server: Server) -> Check:
    if server.lease_storage in ("", FILES):
        return Check("leases", Verdict.OK, server.lease_storage or "the server does not tell where they are kept")
    found = "kept in the server's memory" if server.lease_storage == MEMORY else server.lease_storage
    mend = (
        "a server that restarts while a pass dies keeps its lock for good: "
        f"PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE={FILES}"
    )
    return Check("leases", Verdict.LOOK, found, mend if server.lease_storage == MEMORY else "")


def _pools(server: Server) -> Check:
    if not server.pools:
        mend = "quire run --watch and quire serve need none; prefect.yaml deploys to one"
        return Check("work pools", Verdict.LOOK, "none, so no worker runs passes", mend)
    found = ", ".join(f"{name}: {status}, {online} online" for name, (status, online) in server.pools.items())
    if not any(online for _, online in server.pools.values()):
        return Check("work pools", Verdict.LOOK, found, "start one with: prefect worker start --pool NAME")
    return Check("work pools", Verdict.OK, found)


async def check_variables(settings: Settings, storage: Storage, ledger: LedgerGateway) -> list[Check]:
    """The Variables, their tie with the folder, and the batches that are active."""
    try:
        is_tied = await check_home(settings, storage, ledger)
        if not is_tied:
            return [Check("Variables", Verdict.OK, "not there yet; the first pass makes them")]
        read = await ledger.read()
        standing = resolve(storage, read)
    except QuireError as error:
        return [Check("Variables", Verdict.STOP, str(error))]
    found = f"readable; {len(read.active)} active batches, {len(read.counts)} failure counts"
    if standing.unknown:
        mend = f"restore their files, or quire release {standing.unknown[0]}"
        return [
            Check("Variables", Verdict.STOP, f"{found}; no file tells the records of {len(standing.unknown)}", mend)
        ]
    return [Check("Variables", Verdict.OK, found)]


async def check_gemini(settings: Settings, now: Callable[[], datetime]) -> list[Check]:
    """The key, which is not shown, whether Gemini takes it, its clock, the quota."""
    base_url = str(settings.gemini.base_url) if settings.gemini.base_url else None
    checks = [await _checked("API key", _key(settings)), await _checked("Gemini", _answers(settings))]

    async def clock() -> Check:
        return _clock("clock and Gemini's", await service_time(base_url), now())

    checks.append(await _checked("clock and Gemini's", clock))
    limits = settings.limits
    found = (
        f"tier {limits.tier} by limits.tier: {enqueued_tokens(settings):,} enqueued tokens of {settings.model.name}, "
        f"{limits.concurrent_jobs} jobs"
    )
    return [*checks, Check("quota", Verdict.OK, found, "Gemini's API does not tell it: compare with Google AI Studio")]


def _key(settings: Settings) -> Callable[[], Awaitable[Check]]:
    async def key() -> Check:
        found = await find_api_key(settings)
        return Check("API key", Verdict.OK, f"there, {len(found.get_secret_value())} characters")

    return key


def _answers(settings: Settings) -> Callable[[], Awaitable[Check]]:
    async def answers() -> Check:
        async with open_services(settings) as services:
            jobs = await services.gemini.list_jobs()
        return Check("Gemini", Verdict.OK, f"takes the key; {len(jobs)} jobs in the project")

    return answers


async def _checked(what: str, check: Callable[[], Awaitable[Check]]) -> Check:
    try:
        return await check()
    except GeminiAccessError as error:
        return Check(what, Verdict.STOP, str(error), "see that the key and its project are right")
    except QuireError as error:
        return Check(what, Verdict.STOP, str(error))


def _clock(what: str, there: datetime | None, here: datetime) -> Check:
    if there is None:
        return Check(what, Verdict.OK, "its answers have no date")
    apart = (here - there).total_seconds()
    # An HTTP date has whole seconds.
    found = "agree" if abs(apart) < 2 else f"{abs(apart):.0f} s apart, ours is {'ahead' if apart > 0 else 'behind'}"
    if abs(apart) > CLOCKS_APART_SECONDS:
        return Check(what, Verdict.LOOK, found, "set this machine's clock (NTP): waiting times are counted by it")
    return Check(what, Verdict.OK, found)

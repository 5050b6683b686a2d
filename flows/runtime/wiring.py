"""Settings become gateways here, and nowhere else. What the flows do with them stands in the flows."""

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from prefect.blocks.system import Secret
from pydantic import BaseModel, SecretStr
from ulid import ULID

from assets.catalog import CATALOG
from assets.domain.errors import ConfigError
from assets.domain.ledger import collection_prefix
from assets.domain.models import model_of
from assets.domain.schema import translated
from assets.requests import RequestTemplate
from config.schema_loader import load_prompt, load_schema
from config.settings import Settings, read_api_key
from flows.gateways.files.folder_times import NEVER, FolderClocks, known_clocks, tried_clocks
from flows.gateways.files.storage import Storage
from flows.gateways.ports import GeminiGateway, LedgerGateway, Lock
from flows.gateways.prefect.api import PrefectApi
from flows.gateways.prefect.ledger import PrefectLedger
from flows.gateways.prefect.locks import PrefectLock
from flows.runtime.elapsed import CollectionClock, machine_reading
from flows.runtime.mirror import Mirror
from flows.runtime.telling import Teller

LEDGER_WAIT_SECONDS = 300.0
"""A change of the Variables takes a moment; who waits longer than a dead holder's lease lives is told so."""
SECRET_BLOCK = "gemini-api-key"  # noqa: S105 - the name of a block, not a secret


@dataclass(frozen=True, slots=True)
class Services:
    """What a pass works with. ``model``: the pydantic model that a page becomes; ``now``: UTC, to be
    told; ``clock``: what is waited by."""

    settings: Settings
    storage: Storage
    ledger: LedgerGateway
    gemini: GeminiGateway
    pass_lock: Lock
    mirror: Mirror
    teller: Teller
    model: type[BaseModel]
    template: RequestTemplate
    now: Callable[[], datetime]
    clock: CollectionClock
    sleep: Callable[[float], Awaitable[None]]
    new_submission_id: Callable[[], str]


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Everything that the settings name, opened. Raises ConfigError, SchemaError, PromptError before anything is
    sent."""
    # Here, as Google's library takes a second to import, and whoever only looks at files does without.
    from flows.gateways.gemini.client import GoogleGemini

    model, template = make_template(settings)
    gemini = GoogleGemini(
        api_key=(await find_api_key(settings)).get_secret_value(),
        base_url=str(settings.gemini.base_url) if settings.gemini.base_url else None,
        api_version=settings.gemini.api_version,
        request_timeout_seconds=settings.batch.request_timeout_seconds,
        download_timeout_seconds=settings.batch.download_timeout_seconds,
        max_concurrent_calls=settings.uploads.upload_concurrency,
    )
    api = PrefectApi()
    try:
        yield Services(
            settings=settings,
            storage=make_storage(settings),
            ledger=_ledger(settings, api),
            gemini=gemini,
            pass_lock=_pass_lock(settings, api),
            mirror=Mirror(CATALOG, collection=settings.collection, retries=settings.retries, tags=tags_of(settings)),
            teller=Teller(api, collection=settings.collection),
            model=model,
            template=template,
            now=utc_now,
            clock=_clock(settings),
            sleep=asyncio.sleep,
            new_submission_id=new_submission_id,
        )
    finally:
        await gemini.close()
        await api.close()


def make_template(settings: Settings) -> tuple[type[BaseModel], RequestTemplate]:
    """The pydantic model that a page becomes, and what all requests have in common. Raises ConfigError, SchemaError,
    PromptError."""
    model = load_schema(settings)
    said = translated(model, settings.limits.of_schema(), takes_max_items=model_of(settings.model.name).takes_max_items)
    prompt_text, prompt_source = load_prompt(settings)
    template = RequestTemplate(
        prompt=prompt_text,
        prompt_source=str(prompt_source),
        context_mode=settings.context.mode,
        document_fields=settings.record.document_fields,
        response_schema=said.schema,
        generation_config=settings.model.generation_config,
        left=said.left,
    )
    template.check()
    return model, template


@asynccontextmanager
async def open_ledger(settings: Settings) -> AsyncIterator[PrefectLedger]:
    """The Variables alone: all that a status or an operator's command needs."""
    api = PrefectApi()
    try:
        yield _ledger(settings, api)
    finally:
        await api.close()


@asynccontextmanager
async def open_pass_lock(settings: Settings) -> AsyncIterator[tuple[PrefectLedger, PrefectLock]]:
    """The Variables and the pass lock: for what no pass may run beside, and that asks nothing of Gemini."""
    api = PrefectApi()
    try:
        yield _ledger(settings, api), _pass_lock(settings, api)
    finally:
        await api.close()


def _pass_lock(settings: Settings, api: PrefectApi) -> PrefectLock:
    return PrefectLock(lock_name(settings, "pass"), what="pass", api=api)


def _ledger(settings: Settings, api: PrefectApi) -> PrefectLedger:
    return PrefectLedger(
        collection=settings.collection,
        field_count=len(settings.record.document_fields),
        lock=PrefectLock(
            lock_name(settings, "ledger"),
            what="change of the Variables",
            wait_limit_seconds=LEDGER_WAIT_SECONDS,
            api=api,
        ),
        api=api,
    )


def _clock(settings: Settings) -> CollectionClock:
    return CollectionClock(
        settings.paths.manifests,
        read=lambda: machine_reading(utc_now()),
        most_across_boots_seconds=settings.batch.poll_interval_seconds,
    )


def make_storage(settings: Settings) -> Storage:
    storage = Storage(
        root=settings.root,
        manifests=settings.paths.manifests,
        output_results=settings.paths.output_results,
        document_fields=settings.record.document_fields,
    )
    storage.clocks = folder_clocks(settings)
    return storage


def folder_clocks(settings: Settings) -> FolderClocks:
    """Which file systems are believed when they say that a folder is as it was, by the trials of before."""
    trust = settings.scan.trust_folder_times
    return NEVER if trust is False else replace(known_clocks(*_clock_places(settings)), untried=trust is True)


def tried_folder_clocks(settings: Settings) -> FolderClocks:
    """The same; a file system that is new is tried, in a folder that is removed again."""
    if settings.scan.trust_folder_times is not False:
        tried_clocks(*_clock_places(settings))
    return folder_clocks(settings)


def _clock_places(settings: Settings) -> tuple[Path, tuple[Path, ...]]:
    paths = settings.paths
    note = paths.manifests / "index" / "file_systems.json"
    return note, (paths.manifests, paths.output_results, paths.page_images)


def lock_name(settings: Settings, what: str) -> str:
    """``quire_pass``, or ``ca_quire_pass`` in the collection ``ca``."""
    return f"{collection_prefix(settings.collection)}quire_{what}"


def tags_of(settings: Settings) -> list[str]:
    """What runs can be filtered by: ``quire``, the collection (``main`` for the one without a name), the model."""
    return ["quire", settings.collection or "main", settings.model.name]


async def find_api_key(settings: Settings) -> SecretStr:
    """From the environment, ``.env`` or the Secret block, in this order. Raises ConfigError."""
    key = read_api_key(os.environ, settings.env_file)
    if key is None:
        try:
            block: Secret[str] = await Secret.aload(SECRET_BLOCK)
            key = SecretStr(str(block.get()))
        except ValueError:
            raise ConfigError(
                f"no API key: set GEMINI_API_KEY, write it into {settings.env_file}, or make the Prefect Secret block "
                f"{SECRET_BLOCK}",
                source="environment",
                key="GEMINI_API_KEY",
            ) from None
    return key


def new_submission_id() -> str:
    """A ULID in lower case."""
    return str(ULID()).lower()


def new_home_id() -> str:
    return secrets.token_hex(16)


def utc_now() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)


def config_path(config: str | None) -> Path | None:
    return Path(config) if config else None

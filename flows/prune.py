"""Prune: take the failure counts of records that are done out of the Variables, and old runs out of Prefect. Runs
monthly; the counts go by themselves, too, when they pass four pages.
"""

import asyncio
from datetime import timedelta

from prefect import flow

from config.settings import load_settings
from flows.gateways.prefect.api import PrefectApi
from flows.gateways.prefect.retention import Removed, count_old_runs
from flows.runtime.home import check_home
from flows.runtime.logs import logger
from flows.runtime.one_line import one_line
from flows.runtime.passes import Pass, open_pass
from flows.runtime.runs import counted, ended, named
from flows.runtime.wiring import config_path, make_storage, open_ledger, tags_of, utc_now

MAX_COUNT_PAGES = 4


@flow(name="prune", flow_run_name=named("prune"), persist_result=False)
@one_line
async def prune(config: str | None = None) -> int:
    """Take the failure counts of pages that are done out of the Variables, and runs that ended before
    safety.keep_run_days out of Prefect. Like `quire prune`.

    Args:
        config: Path of the configuration file, as the run sees it. Empty: what QUIRE_CONFIG names there.
    """
    async with open_pass(config) as p:
        removed = await prune_counts(p)
        old = await remove_old_runs(p)
        said = f"{counted(removed, 'failure count')} removed; {counted(old.runs, 'old run')} removed from Prefect"
        said += f", with {counted(old.artifacts, 'artifact')}"
        said += (
            f"; {counted(old.kept, 'old run')} kept, whose artifacts are the newest of their names" if old.kept else ""
        )
        await p.services.teller.publish("maintenance", f"{said}.\n", description="What the maintenance removed")
        return await ended(p.services.teller, f"{removed} removed", said, removed)


async def would_prune_text(config: str | None) -> str:
    """What a prune would remove. Takes no lock. Raises QuireError, OSError."""
    settings = load_settings(config_path(config))
    storage, days = make_storage(settings), settings.safety.keep_run_days
    async with PrefectApi() as api:
        async with open_ledger(settings) as ledger:
            counts = (await ledger.read()).counts if await check_home(settings, storage, ledger) else {}
        done = (await asyncio.to_thread(storage.find_results)).done
        lines = [f"{counted(sum(key in counts for key in done), 'failure count')} would be removed"]
        if days is not None:
            before = utc_now() - timedelta(days=days)
            old = await count_old_runs(api, tags=tags_of(settings)[:2], before=before)
            lines.append(
                f"{counted(old, 'run')} that ended before {before:%Y-%m-%d} would be removed from Prefect, but for "
                "those whose artifacts are the newest of their names"
            )
    return "\n".join([*lines, "nothing is done"])


async def remove_old_runs(p: Pass) -> Removed:
    """Remove the runs of this collection that ended before ``safety.keep_run_days``, with their logs and artifacts."""
    settings = p.services.settings
    days = settings.safety.keep_run_days
    if days is None:
        return Removed()
    before = p.services.now() - timedelta(days=days)
    # Whatever model they were sent to.
    return await p.services.teller.remove_old_runs(tags=tags_of(settings)[:2], before=before, check=p.lease.check)


async def prune_if_crowded(p: Pass) -> None:
    """Prune when the counts stand on more than MAX_COUNT_PAGES Variables."""
    if len((await p.services.ledger.recall()).count_pages) > MAX_COUNT_PAGES:
        await prune_counts(p)


async def prune_counts(p: Pass) -> int:
    """Remove the counts of records that are done."""
    done = (await asyncio.to_thread(p.services.storage.find_results)).done
    counts = (await p.services.ledger.read()).counts
    # A million records are looked at before the lock is taken; who has a count under it are few.
    counted = await asyncio.to_thread(lambda: [key for key in done if key in counts])
    async with p.services.ledger.transaction() as change:
        finished = sorted(key for key in counted if key in change.ledger.counts)
        p.lease.check()
        await change.remove_counts(finished)
    logger().info("Pruned: %d failure counts of records that are done", len(finished))
    return len(finished)

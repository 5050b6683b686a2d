"""The breaker as a pass meets it: looked at before anything is sent, told once in an artifact, let go of by a
person."""

import asyncio
from dataclasses import replace
from datetime import datetime

from assets.breaker import BreakerRules, Reset, open_breaker
from assets.reports import escape
from config.settings import Settings
from flows.gateways.files.decisions import Breaker
from flows.gateways.files.storage import Storage
from flows.runtime.logs import logger
from flows.runtime.passes import Pass
from flows.tables.derived import submissions_table


async def trip(p: Pass) -> str | None:
    """Why nothing is to be sent, in a line, or None. Raises ManifestError, OSError."""
    storage, settings = p.services.storage, p.services.settings
    reason = await asyncio.to_thread(breaker_reason, settings, storage, write=True)
    if reason is None:
        return None
    logger().error("Breaker open, nothing is sent: %s", reason)
    breaker = storage.read_breaker()
    if breaker.told_of != reason:
        p.lease.check()
        markdown = f"### Nothing is sent\n\n{escape(reason)}\n"
        await p.services.teller.publish("breaker", markdown, description="The breaker is open")
        storage.write_breaker(replace(breaker, told_of=reason))
    return reason


def breaker_reason(settings: Settings, storage: Storage, *, write: bool = False) -> str | None:
    """Why the breaker is open, or None. ``write``: see `flows.tables.derived`."""
    safety = settings.safety
    rules = BreakerRules(safety.max_failed_batches_in_a_row, safety.max_failure_rate, safety.window_records)
    return open_breaker(submissions_table(storage, write=write), rules, reset=storage.read_breaker().reset)


def reset_breaker(storage: Storage, now: datetime) -> None:
    """What failed until ``now`` does not count any more."""
    storage.write_breaker(Breaker(Reset(now, storage.settlements())))

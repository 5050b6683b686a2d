"""When a collection may be done in each context mode, by the batches of the last days: for ``quire scan`` and ``quire
status``. The arithmetic stands in `assets.pace`.
"""

from collections.abc import Mapping
from datetime import datetime

from assets.candidates import RecordState, States
from assets.pace import Forecast, forecast, pace_of
from config.settings import Settings
from flows.gateways.files.storage import Storage
from flows.tables.derived import submissions_table


def forecast_of(
    settings: Settings, storage: Storage, states: States, waves: Mapping[str, int], *, now: datetime
) -> Forecast:
    """By the batches of the last days. ``waves``: by context mode. Raises ManifestError, OSError."""
    at_once = min(settings.execution.max_concurrent_batches, settings.limits.concurrent_jobs)
    left = len(states) - len(states.of(RecordState.DONE, RecordState.DEAD, RecordState.HELD))
    return forecast(
        waves,
        pace_of(submissions_table(storage, write=False), now),
        now,
        pages=left,
        pages_a_round=at_once * settings.execution.batch_size_limit,
    )

"""Who may run, as settings, manifests and people's decisions say it. What follows from it for each record is decided in
`assets.candidates`.
"""

import pyarrow as pa

from assets.candidates import RunRules
from assets.history import held_records
from config.settings import Settings
from flows.gateways.files.storage import Storage


def held_keys(settings: Settings, storage: Storage, history: pa.Table) -> list[str]:
    """The records that wait for a person. ``history``: see `flows.tables.derived.history_table`. Raises ManifestError,
    OSError."""
    return held_records(
        history,
        max_retries=settings.execution.max_retries,
        let_go=storage.read_let_go(),
        let_go_unjudged=storage.read_let_go("unjudged"),
    )


def run_rules(settings: Settings) -> RunRules:
    return RunRules(
        max_retries=settings.execution.max_retries,
        context_mode=settings.context.mode,
        on_dead_dependency=settings.context.on_dead_dependency,
    )

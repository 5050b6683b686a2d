"""Who may run, as settings, manifests and people's decisions say it. What follows from it for each record is decided in
`assets.candidates`.
"""

from datetime import datetime

import pyarrow as pa

from assets.candidates import RunRules
from assets.history import held_records, service_errors_since
from assets.repair import RepairRules, changes
from assets.service_waits import postponed
from config.settings import Settings
from flows.gateways.files.storage import Storage


def held_keys(settings: Settings, storage: Storage, history: pa.Table) -> list[str]:
    """The records that wait for a person. ``history``: see `flows.tables.derived.history_table`. Raises ManifestError,
    OSError."""
    return held_records(
        history,
        max_retries=settings.execution.max_retries,
        max_service_errors=settings.retries.max_service_errors,
        let_go=storage.read_let_go(),
        let_go_unjudged=storage.read_let_go("unjudged"),
        let_go_service=storage.read_let_go("service_errors"),
    )


def postponed_keys(settings: Settings, storage: Storage, history: pa.Table, *, now: datetime) -> dict[str, datetime]:
    """Record key -> when it goes by itself, of those that met a fault of the service a short while ago. Raises
    ManifestError, OSError."""
    met = service_errors_since(history, storage.read_let_go("service_errors"))
    return postponed(met, backoff_seconds=settings.retries.service_backoff_seconds, at=now)


def with_repairs(settings: Settings, history: pa.Table, rows: pa.Table) -> pa.Table:
    """``rows`` (with a column record_key) with the column ``repair``: what is changed in the next request of each."""
    found = changes(history, rows["record_key"].combine_chunks(), repair_rules(settings))
    return rows.append_column("repair", found)


def repair_rules(settings: Settings) -> RepairRules:
    repair = settings.repair
    return RepairRules(
        model=settings.model.name,
        generation_config=settings.model.generation_config,
        cut_short=repair.cut_short,
        recitation=repair.recitation,
        not_json=repair.not_json,
        schema_mismatch=repair.schema_mismatch,
    )


def run_rules(settings: Settings) -> RunRules:
    return RunRules(
        max_retries=settings.execution.max_retries,
        context_mode=settings.context.mode,
        on_dead_dependency=settings.context.on_dead_dependency,
        max_chain=settings.context.max_chain,
    )

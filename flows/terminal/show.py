"""What the commands that read, and the operator's commands, say in the terminal."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from prefect.settings import PREFECT_UI_URL

from assets.candidates import RecordState
from assets.domain.batch import submitted_at
from assets.domain.errors import QuireError
from assets.domain.money import dollars
from assets.domain.record import encode_ranges
from assets.outdated import Reason
from assets.pace import Forecast
from config.settings import Settings, load_settings
from flows import operate
from flows.gateways.files.storage import Storage
from flows.protocol.active import resolve
from flows.protocol.breaking import breaker_reason, reset_breaker
from flows.questions.status import BatchStatus, Status, collect_outdated, collect_status
from flows.runtime.home import ensure_home
from flows.runtime.passes import OperatorsLease, Pass
from flows.runtime.printable import printable_json
from flows.runtime.telling import artifact_key
from flows.runtime.wiring import config_path, make_storage, open_ledger, open_services, utc_now
from flows.tables.left_out import left_out_place
from flows.terminal.nothing_found import why_no_pages

MAX_LISTED = 50
UNJUDGED = "a validator of the schema failed at its answer, which is kept"


async def read_status(config: str | None) -> Status:
    found, _ = await read_status_and_storage(config)
    return found


async def read_status_and_storage(config: str | None) -> tuple[Status, Storage]:
    """The numbers, and the files that they are of. Raises QuireError."""
    settings = load_settings(config_path(config))
    storage = make_storage(settings)
    async with open_ledger(settings) as ledger:
        return await collect_status(settings, storage, ledger, now=utc_now()), storage


async def status_json(config: str | None) -> str:
    return printable_json((await read_status(config)).as_json())


async def said_of_status(config: str | None, reasons: Sequence[str], *, as_json: bool, outdated: bool) -> str:
    """``reasons``: go with ``outdated`` alone. Raises QuireError."""
    if outdated:
        return await outdated_text(config, reasons)
    if reasons:
        raise QuireError(f"{reasons[0]}: say quire status --outdated {' '.join(reasons)}")
    return await (status_json if as_json else status_text)(config)


def waves_text(by_mode: Mapping[str, int]) -> str:
    return ", ".join(f"{count} with {mode}" for mode, count in by_mode.items())


def forecast_lines(waves: Mapping[str, int], forecast: Forecast | None) -> list[str]:
    """When the collection would be done in each context mode; nothing where nothing is left."""
    if forecast is None or not any(waves.values()):
        return []
    if forecast.batch_seconds is None:
        return ["when that will be done is not known: no batch was answered in the last 7 days"]
    minutes = round(forecast.batch_seconds / 60)
    ends = (
        f"{end:%Y-%m-%d %H:%M} UTC with {mode}" if end else f"in no time that can be told with {mode}"
        for mode, end in forecast.done_by.items()
    )
    return [f"if a batch takes {minutes // 60} h {minutes % 60} min, as the last ones did, done by {', '.join(ends)}"]


def place_in_prefect(config: str | None) -> str:
    """Where Prefect's UI shows how the collection stands: its menu has no entry for artifacts."""
    key = artifact_key(load_settings(config_path(config)).collection, "status")
    return f"to be seen in Prefect at {(PREFECT_UI_URL.value() or '').rstrip('/')}/artifacts/key/{key}"


async def status_text(config: str | None) -> str:
    """The numbers, the batches, what needs a person."""
    found, storage = await read_status_and_storage(config)
    lines = status_lines(found, left_out_place(storage), now=utc_now())
    under_way = [name for name in storage.runs.names() if not storage.runs.read(name).has_ended]
    lines += [f"comparison {name} is under way: quire compare {name} goes on with it" for name in under_way]
    return "\n".join(lines)


def status_lines(found: Status, left_out_place: str, *, now: datetime | None = None) -> list[str]:
    """``left_out_place``: where the files are listed that are left out; ``now``: for the age of batches."""
    width = max(len(state) for state in RecordState)
    lines = [f"{'records':<{width}} {found.records:>9}"]
    lines += [f"{state:<{width}} {found.states[state]:>9}" for state in RecordState]
    lines.append(f"waves left {found.waves_left} ({waves_text(found.waves_by_mode)})")
    lines += forecast_lines(found.waves_by_mode, found.forecast)
    if found.spent_usd or found.open_usd:
        lines.append(f"spent {dollars(found.spent_usd)}, in flight at most {dollars(found.open_usd)}")
    if found.unsure:
        lines.append(
            f"unsure: of {found.unsure} records nobody knows what they cost; "
            f"they count with {dollars(found.unsure_usd)}, the most that it can be"
        )
    lines += found.model_notes
    for batch in found.batches:
        records = "records unknown" if batch.records is None else f"{batch.records} records"
        cause = f": it cannot be settled: {batch.cause}" if batch.cause else ""
        lines.append(f"{batch.name}  {batch.state}  {records}{_age(batch, now)}{cause}")
    if found.next_try_at is not None:
        lines.append(
            f"postponed by faults of the service: the first goes by itself at {found.next_try_at:%Y-%m-%d %H:%M} UTC"
        )
    if found.failures:
        lines.append("failures so far: " + ", ".join(f"{count} {kind}" for kind, count in found.failures.items()))
    if found.outdated or found.not_compared:
        lines.append(_outdated_line(found))
    if found.rerun:
        lines.append(f"to be read again {found.rerun}: their results stay until then; quire undo-rerun lets them be")
    if found.corrected or found.checked:
        lines.append(f"corrected by people {found.corrected}, checked and good {found.checked}: these stay as they are")
    if found.edited or found.results_not_compared:
        waiting = found.results_not_compared
        later = f"; {waiting} are not compared yet, the next passes do" if waiting else ""
        where = ": quire verify lists them" if found.edited else ""
        lines.append(f"edited by a person {found.edited}{where}{later}")
    if found.left_out:
        lines.append(f"left out {found.left_out} files: {left_out_place} lists them")
    lines += [f"kept back {key}: {reason}" for key, reason in list(found.kept_back.items())[:MAX_LISTED]]
    if len(found.kept_back) > MAX_LISTED:
        lines.append(f"... and {len(found.kept_back) - MAX_LISTED} more that are kept back")
    return [*lines, *_needs(found)]


def _age(batch: BatchStatus, now: datetime | None) -> str:
    """Since when it is in flight: what Gemini has not answered after 48 h it expires."""
    if batch.submission_id is None or now is None:
        return ""
    begun = submitted_at(batch.submission_id)
    hours, minutes = divmod(max(0, int((now - begun).total_seconds())) // 60, 60)
    return f"  since {begun:%Y-%m-%d %H:%M} UTC ({f'{hours} h ' if hours else ''}{minutes} min)"


def _outdated_line(found: Status) -> str:
    by = ", ".join(f"{reason} {count}" for reason, count in found.outdated_by.items())
    said = f"outdated {found.outdated}" + (f" ({by}): quire status --outdated lists them" if by else "")
    later = f"; {found.not_compared} images are not compared yet, the next scans do" if found.not_compared else ""
    return said + later


async def outdated_text(config: str | None, words: Sequence[str]) -> str:
    """The outdated records as ranges, a line for each, with the reasons. ``words``: reasons; none: all."""
    settings = load_settings(config_path(config))
    async with open_ledger(settings) as ledger:
        found = await collect_outdated(settings, make_storage(settings), ledger)
    wanted, by_reasons = set(_reasons(words, default=tuple(Reason))), dict[str, list[str]]()
    for key, reasons in found.reasons_of().items():
        if wanted.intersection(reasons):
            by_reasons.setdefault(", ".join(reasons), []).append(key)
    lines = [f"{each}  {reasons}" for reasons, keys in by_reasons.items() for each in encode_ranges(keys)]
    return "\n".join(lines or ["no result is outdated"])


def _reasons(words: Sequence[str], *, default: tuple[Reason, ...]) -> tuple[Reason, ...]:
    """Raises QuireError."""
    try:
        return tuple(Reason(word) for word in words) or default
    except ValueError:
        raise QuireError(f"a result is outdated by one of {', '.join(Reason)}; {' '.join(words)} is none") from None


async def needs_text(config: str | None, more: Sequence[str] = (), *, limited: str | None = None) -> str:
    """What is left for a person when nothing can go on by itself. ``more``: lines that the last pass knows;
    ``limited``: why it has sent no more though it could."""
    found = await read_status(config)
    done = f"{found.states[RecordState.DONE]} of {found.records} records are done"
    needs = [*more[:MAX_LISTED], *_needs(found)]
    if not found.records:
        needs += why_no_pages(load_settings(config_path(config)))
    if limited is not None:
        return "\n".join([f"{done}; {limited}, and the next run goes on", *needs])
    return "\n".join([done + (", nothing is left" if not needs else "; the rest needs a person:"), *needs])


async def reset_breaker_text(config: str | None, *, dry_run: bool = False) -> str:
    settings = load_settings(config_path(config))
    storage = make_storage(settings)
    async with open_ledger(settings) as ledger:
        await ensure_home(settings, storage, ledger)
    records = storage.read_records()
    reason = breaker_reason(settings, storage, records=0 if records is None else len(records), now=utc_now())
    if dry_run:
        return f"would let go of: {reason}; nothing is done" if reason else "the breaker is not open; nothing is done"
    reset_breaker(storage, utc_now())
    return (
        f"let go of: {reason}" if reason else "the breaker was not open; what failed until now does not count any more"
    )


async def release_text(config: str | None, batch: str, *, cancel: bool, dry_run: bool = False) -> str:
    settings = load_settings(config_path(config))
    if dry_run:
        return await _would_release(settings, batch)
    async with open_services(settings) as services:
        await ensure_home(settings, services.storage, services.ledger)
        return await operate.release(Pass(services, OperatorsLease(), services.now()), batch, cancel=cancel)


async def _would_release(settings: Settings, batch: str) -> str:
    storage = make_storage(settings)
    async with open_ledger(settings) as ledger:
        standing = resolve(storage, await ledger.read())
    if batch in standing.unknown:
        return f"{batch} would be taken out of active_batch_ids; no file here knows its records; nothing is done"
    submission_id, state = operate.submission_named(storage, standing, batch)
    records = len(storage.batch_keys(submission_id))
    return f"{batch} ({state}) would be released, and its {records} records be free; nothing is done"


def _last(found: Status, key: str) -> str:
    return f", last: {found.causes[key]}" if key in found.causes else ""


def _needs(found: Status) -> list[str]:
    lines = [f"nothing is sent: {found.breaker}"] if found.breaker else []
    if found.no_json:
        lines.append(
            f"no JSON: {len(found.no_json)} results that count as done, such as {found.no_json[0]}: correct them, or "
            "quire rerun --edited KEY...; quire verify lists them"
        )
    for key in list(found.dead_letters)[:MAX_LISTED]:
        behind = found.blocking.get(key, 0)
        lines.append(
            f"dead letter {key}: {found.why_dead(key)}"
            + (f", {behind} records wait behind it" if behind else "")
            + _last(found, key)
        )
    if len(found.dead_letters) > MAX_LISTED:
        lines.append(f"... and {len(found.dead_letters) - MAX_LISTED} more dead letters")
    unjudged = set(found.unjudged)
    for key in found.held[:MAX_LISTED]:
        behind = found.blocking.get(key, 0)
        lines.append(
            f"held {key}: {UNJUDGED if key in unjudged else 'batch after batch came back without an answer'}"
            + (f", {behind} records wait behind it" if behind else "")
            + _last(found, key)
        )
    if len(found.held) > MAX_LISTED:
        lines.append(f"... and {len(found.held) - MAX_LISTED} more held records")
    if found.dead_letters or found.held:
        lines.append("try them again with: quire unblock KEY...")
    return lines

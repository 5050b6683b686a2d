"""``quire why KEY``: where one record stands and for what reason, what made its result, and what became of it so far.
For looking only: nothing is written. What files tell of its past stands in `history`.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow.compute as pc

from assets.candidates import RecordState, States
from assets.domain.batch import SubmissionState, submitted_at
from assets.domain.errors import ManifestError
from assets.domain.ledger import Ledger
from assets.domain.model_names import is_same_model
from assets.domain.money import dollars
from assets.domain.record import parse_key
from assets.domain.result_form import result_in
from assets.domain.tries import Try
from assets.outcomes import cause_of
from config.settings import Settings, load_settings
from flows.gateways.files.acts import Act
from flows.gateways.files.contents import ImageNow, ImageThen, image_now
from flows.gateways.files.presence import is_there
from flows.gateways.files.storage import SHORT_HASH_CHARS, Storage
from flows.protocol.active import ActiveSubmission, resolve
from flows.questions.absence import why_left_out
from flows.questions.history import Attempt, MadeBy, attempts_of, image_sent, made_by
from flows.questions.status import read_ledger_or_files, states_now
from flows.questions.why_not import row_of, why_not_done
from flows.runtime.printable import printable, printable_json
from flows.runtime.wiring import config_path, make_storage, utc_now
from flows.tables.corrections import corrections_of

UNKNOWN = "unknown"
EDITED = "edited"


@dataclass(frozen=True, slots=True)
class Why:
    """``state``: a RecordState, or "unknown" for what is not in the record manifest; ``reason``: in words, with the
    state; ``image``: what is to be said of its image, if anything; ``made_by``: what made its result, if it has one;
    ``prompt_file``: where that prompt's text is kept; ``prefect_problem``: why the files alone were
    asked; ``rerun``: it has a result, which is to be replaced; ``about_result``: what is to be said of its
    result as it lies there; ``correction``: whether it is "corrected" or "checked" by a person, ``answer_file``: where
    what the model had answered is kept then; ``acts``: what a person has done with it, the oldest first,
    ``acts_problem``: why not all of that is known."""

    record_key: str
    state: str
    reason: str
    image: str | None
    made_by: MadeBy | None
    prompt_file: str | None
    history: tuple[Attempt, ...]
    prefect_problem: str | None
    rerun: bool = False
    about_result: str | None = None
    correction: str | None = None
    answer_file: str | None = None
    acts: tuple[Act, ...] = ()
    acts_problem: str | None = None


async def find_why(config: str | None, key: str) -> Why:
    """Read everything about a record. Raises RecordKeyError, ConfigError, ManifestError."""
    settings = load_settings(config_path(config))
    record_key = str(parse_key(key, field_count=len(settings.record.document_fields)))
    storage = make_storage(settings)
    ledger, problem = await read_ledger_or_files(settings, storage)
    return await asyncio.to_thread(why_of, settings, storage, ledger, record_key, problem, now=utc_now())


async def why_json(config: str | None, key: str) -> str:
    found = asdict(await find_why(config, key))
    return printable_json(_with_iso_times(found))


async def why_text(config: str | None, key: str) -> str:
    return "\n".join(why_lines(await find_why(config, key)))


def why_lines(found: Why) -> list[str]:
    lines = [found.record_key, found.reason]
    if found.rerun:
        lines.append(
            "it is to be read again; the result of before stays in its place until then; "
            f"quire undo-rerun {found.record_key} lets it be"
        )
    lines += [found.about_result] if found.about_result else []
    lines += [f"what the model had answered: {found.answer_file}"] if found.answer_file else []
    lines += [f"the prompt's text: {found.prompt_file}"] if found.prompt_file else []
    lines += [found.image] if found.image else []
    lines += ["", *_past_lines(found)]
    if found.prefect_problem is not None:
        lines += ["", f"This is what the files alone tell: {found.prefect_problem}"]
    return [printable(line) for line in lines]


def _past_lines(found: Why) -> list[str]:
    """Outcomes in the order of their settlement, and between them, by time, what a person has done."""
    head = "what became of it so far:" if found.history else "it has no outcome so far"
    lines, acts = [head], list(found.acts)
    for attempt in found.history:
        while acts and acts[0].at < attempt.settled_at:
            lines.append(_act_line(acts.pop(0)))
        lines.append(_attempt_line(attempt))
    lines += [_act_line(act) for act in acts]
    return lines + ([f"what a person has done is not known: {found.acts_problem}"] if found.acts_problem else [])


def _act_line(act: Act) -> str:
    return f"  {act.at:%Y-%m-%d %H:%M}  a person: {_ACTS.get(act.act, act.act)}"


_ACTS = {
    "rerun": "quire rerun, to have it read again",
    "undo-rerun": "quire undo-rerun, to let its result be",
    "unblock": "quire unblock, to have it tried again",
    EDITED: "its result was edited, or put there, last",
}


def _attempt_line(attempt: Attempt) -> str:
    parts = [
        f"{attempt.settled_at:%Y-%m-%d %H:%M}",
        attempt.submission_id,
        attempt.kind + (" (late)" if attempt.is_late else " (judged again)" if attempt.is_resettled else ""),
    ]
    parts.append(f"{attempt.model}, {attempt.prompt}")
    parts += [f"[{attempt.changed}]"] if attempt.changed else []
    parts += [attempt.message] if attempt.message else []
    if attempt.prompt_tokens is not None:
        parts.append(
            f"{attempt.prompt_tokens:,} tokens in, {attempt.output_tokens or 0:,} out, "
            f"{attempt.thoughts_tokens or 0:,} thought"
        )
        parts.append("no price was known" if attempt.usd is None else dollars(attempt.usd))
        parts += [f"answered by {attempt.answered_by}"] if attempt.answered_by else []
    elif attempt.unsure:
        parts.append("what it cost is not known: its usage does not add up")
    return "  " + "  ".join(parts)


def why_of(
    settings: Settings,
    storage: Storage,
    ledger: Ledger,
    key: str,
    problem: str | None = None,
    *,
    now: datetime,
    states: States | None = None,
) -> Why:
    """``problem``: why ``ledger`` is what the files alone tell; ``now``: UTC; ``states``: if they were read already."""
    if states is None:
        states = states_now(settings, storage, ledger, now=now)
    row = row_of(states, key)
    history = attempts_of(storage, key)
    batch = _batch_with(storage, ledger, key)
    if row is None:
        state, reason = UNKNOWN, f"not in the record manifest: {why_left_out(settings, storage, key)}"
    else:
        state, reason = row["state"], ""
    # A page that was taken out of the manifest may well have a result.
    is_done = state == RecordState.DONE or (row is None and key in storage.done_among([key]))
    rerun = bool(len(storage.to_be_replaced([key])))
    maker = made_by(storage, history, key) if is_done or rerun else None
    if is_done:
        reason = "; ".join(each for each in (reason, _done(maker)) if each)
    elif row is not None:
        last = history[-1] if history else None
        reason = why_not_done(settings, storage, states, row, batch, last, now=now)
        reason += f"; last: {cause_of(history[-1].kind, history[-1].message)}" if _has_a_cause(state, history) else ""
    said, (acts, acts_problem) = _said_of(storage, key), _acts(storage, key)
    then = maker.image if maker is not None else _image_sent_last(storage, history, batch, key)
    return Why(
        record_key=key,
        state=state,
        reason=reason,
        image=_about_image(storage, then, row, state, key, said) if then is not None else None,
        made_by=maker,
        prompt_file=_prompt_file(storage, maker) if maker is not None else None,
        history=tuple(history),
        prefect_problem=problem,
        rerun=rerun,
        about_result=_about_result(storage, maker, key, said.standing),
        correction=said.standing["kind"] if said.standing else None,
        answer_file=_answer_file(storage, said),
        acts=tuple(sorted([*acts, *said.acts(), *_edit(storage, maker, key, said)], key=lambda act: act.at)),
        acts_problem=acts_problem,
    )


def _acts(storage: Storage, key: str) -> tuple[list[Act], str | None]:
    """What was noted of a person's commands; a wish that is still open, also where nothing was noted of it."""
    try:
        found, problem = storage.acts.of(key) + [Act(each.at, _tried(each)) for each in storage.tries.of(key)], None
    except (ManifestError, OSError) as error:
        found, problem = [], str(error)
    for rerun_id in storage.to_be_replaced([key])["rerun_id"].to_pylist():
        if not any(act.act == "rerun" for act in found):
            found.append(Act(submitted_at(rerun_id), "rerun"))
    return found, problem


def _tried(noted: Try) -> str:
    """In words, what a person had read at once."""
    answer = noted.answer
    if answer is None:
        return f"quire try with {noted.model}, {noted.prompt}: no answer is known"
    cost = "its cost is not known" if answer.usd is None else dollars(answer.usd)
    about = f" ({answer.message})" if answer.message else ""
    return f"quire try with {noted.model}, {noted.prompt}: {answer.kind}{about}, {cost}; nothing was written"


@dataclass(frozen=True, slots=True)
class _Said:
    """What people have said of a result. ``rows``: all of it; ``standing``: what of it stands. Both as
    CORRECTION_SCHEMA."""

    rows: list[dict[str, Any]]
    standing: dict[str, Any] | None

    def acts(self) -> list[Act]:
        return [Act(row["corrected_at"], f"{row['kind']}, by {row['corrected_by']}") for row in self.rows]


def _said_of(storage: Storage, key: str) -> _Said:
    rows = storage.corrections.read()
    rows = rows.filter(pc.equal(rows["record_key"], key))
    columns = [name for name in rows.column_names if name != "result_modified_at"]
    standing = corrections_of(storage, [key]).select(columns).to_pylist()
    return _Said(rows.select(columns).to_pylist(), standing[0] if standing else None)


def _answer_file(storage: Storage, said: _Said) -> str | None:
    """Where the model's answer is kept, if another result lies in its place."""
    row = said.standing
    if row is None or row["answer_sha256"] in (None, row["result_sha256"]):
        return None
    path = storage.corrections.content_path(row["answer_sha256"])
    return str(path) if is_there(path) else None


def _edit(storage: Storage, maker: MadeBy | None, key: str, said: _Said) -> list[Act]:
    file = storage.result_file(key)
    if said.standing is not None or file is None:
        return []
    if maker is not None and maker.result_sha256 in (None, file.sha256):
        return []
    return [Act(datetime.fromtimestamp(file.modified_ns / 1e9, UTC), EDITED)]


def _has_a_cause(state: str, history: Sequence[Attempt]) -> bool:
    return bool(history) and state in (RecordState.DEAD, RecordState.HELD, RecordState.POSTPONED)


def _about_result(storage: Storage, maker: MadeBy | None, key: str, standing: Mapping[str, Any] | None) -> str | None:
    found = storage.result_as_it_is(key)
    if found is None:
        return None
    file, content = found
    if standing is not None:
        when = standing["corrected_at"]
        return (
            f"the result was {standing['kind']} by {standing['corrected_by']} on {when:%Y-%m-%d}: it is neither sent "
            f"nor overwritten but by quire rerun --edited {key}"
        )
    is_edited = maker is not None and maker.result_sha256 not in (None, file.sha256)
    when = datetime.fromtimestamp(file.modified_ns / 1e9, UTC)
    said = [f"the result was edited by a person since, last on {when:%Y-%m-%d}"] if is_edited else []
    problem = result_in(content)[1]
    said += [f"{storage.result_path(key)} {problem}"] if problem else []
    return "; ".join(said) or None


def _batch_with(storage: Storage, ledger: Ledger, key: str) -> ActiveSubmission | None:
    """The active submission that the record is in."""
    active = (each for each in resolve(storage, ledger).active if each.state is not SubmissionState.SETTLED)
    return next((each for each in active if key in storage.batch_keys(each.submission_id)), None)


def _done(maker: MadeBy | None) -> str:
    if maker is None:
        return "done: there is a result, and no submission of this folder made it"
    short, image = SHORT_HASH_CHARS, maker.image
    frame = f", image {image.frame + 1} of the file" if image.frame else ""
    return (
        f"done: result made on {maker.settled_at:%Y-%m-%d} by {_maker_model(maker)}, prompt {maker.prompt_name} "
        f"{maker.prompt_version} ({maker.prompt_hash[:short]}), schema {maker.schema_name} "
        f"({maker.response_schema_hash[:short]}), image {image.path}{frame} (sha256 {image.sha256[:short]}), "
        f"submission {maker.submission_id}, batch {maker.batch_id or 'unknown'}"
        + (f", with the {maker.context_kind} of {maker.context_key} as context" if maker.context_key else "")
    )


def _maker_model(maker: MadeBy) -> str:
    version = maker.model_version
    if version is None or version == maker.model:
        return maker.model
    return (
        f"{version}, asked for as {maker.model}"
        if is_same_model(maker.model, version)
        else (f"{version} (though {maker.model} was asked for)")
    )


def _prompt_file(storage: Storage, maker: MadeBy) -> str | None:
    path = storage.prompt_path(maker.prompt_name, maker.prompt_version, maker.prompt_hash)
    return str(path) if path.is_file() else None


def _image_sent_last(
    storage: Storage, history: list[Attempt], batch: ActiveSubmission | None, key: str
) -> ImageThen | None:
    if batch is not None:
        return image_sent(storage, batch.submission_id, key)
    return image_sent(storage, history[-1].submission_id, key) if history else None


def _about_image(
    storage: Storage, then: ImageThen, row: Mapping[str, Any] | None, state: str, key: str, said: _Said
) -> str | None:
    path, frame = (row["image_path"], row["image_frame"]) if row is not None else (then.path, then.frame)
    match image_now(storage.root, path, frame, then):
        case ImageNow.TOUCHED:
            return "the image file was touched, its content is the same"
        case ImageNow.REPLACED if state in (RecordState.RUNNABLE, RecordState.WAITING):
            return "the image was replaced since: the next try sends the new one"
        case ImageNow.REPLACED:
            when = "when its batch is settled, " if state == RecordState.INFLIGHT else ""
            edited = " --edited" if said.standing is not None else ""
            return f"the image was replaced since: {when}quire rerun{edited} {key} reads it again"
        case ImageNow.GONE:
            return f"the image file is gone: {path}"
    return None


def _with_iso_times(value: Any) -> Any:
    match value:
        case dict():
            return {name: _with_iso_times(each) for name, each in value.items()}
        case list() | tuple():
            return [_with_iso_times(each) for each in value]
        case datetime():
            return value.isoformat()
    return value

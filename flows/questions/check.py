"""``quire check``: the request for one page as it would be sent, and what it is taken to cost. Nothing is sent, nothing
is written, no key is needed.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from assets.candidates import States, in_running_order
from assets.domain.errors import ManifestError, QuireError
from assets.domain.money import dollars
from assets.domain.record import parse_key
from assets.domain.schema_limits import schema_depth, text_bytes, walk
from assets.domain.tokens import text_tokens
from assets.estimates import with_sizes_before
from assets.planning import SubmissionFacts
from assets.requests import RequestTemplate, batch_requests, schema_bytes
from config.settings import Settings, load_settings
from flows.gateways.files.storage import Storage
from flows.protocol.claiming import facts_of
from flows.questions.status import read_ledger_or_files, states_now
from flows.runtime.printable import printable, printable_json, printable_lines
from flows.runtime.wiring import config_path, make_storage, make_template, new_submission_id, utc_now
from flows.tables.derived import history_table, submissions_table
from flows.tables.prices import at_standard_price, notices
from flows.tables.rules import with_repairs
from flows.tables.weighing import Load, Scales, context_keys, rates_of, tariff_of

_REQUEST_SCHEMA = pa.schema(
    [
        pa.field(name, pa.string())
        for name in (
            "record_key",
            "file_uri",
            "file_mime_type",
            "context_key",
            "context_file_uri",
            "context_file_mime_type",
        )
    ]
)


@dataclass(frozen=True, slots=True)
class Checked:
    """``line``: the request's line, with paths where uploads would have their addresses; ``row``: the record in
    `States.rows` of `assets.candidates`, ``rows``: the same as a table, and that of the page before, if there is one;
    ``context``: what goes along, in words; ``estimate``: the row of ESTIMATE_SCHEMA; ``answers``: how many answers it
    goes by; ``prefect_problem``: why the files alone were asked."""

    settings: Settings
    template: RequestTemplate
    facts: SubmissionFacts
    line: bytes
    row: Mapping[str, Any]
    rows: tuple[pa.Table, pa.Table]
    context: str
    estimate: Mapping[str, Any]
    answers: int
    prefect_problem: str | None


async def check_json(config: str | None, key: str | None) -> str:
    """The line of the input file, and nothing else."""
    return (await check(config, key)).line.decode().rstrip("\n")


async def check_text(config: str | None, key: str | None) -> str:
    """For a person to read before anything is paid for."""
    return text_of(await check(config, key))


def text_of(found: Checked) -> str:
    """The same, of what was found."""
    request = json.loads(found.line)["request"]
    generation_config = request["generation_config"]
    schema = generation_config.pop("response_schema")
    blocks = {
        "prompt": printable_lines(request["contents"][0]["parts"][0]["text"]),
        "generation_config": printable_json(generation_config),
        "responseSchema": printable_json(schema),
    }
    lines = summary(found)
    for title, text in blocks.items():
        lines += ["", f"--- {title} ---", text]
    if found.template.left:
        lines += ["", "--- left to pydantic alone: Gemini is told in words, or not at all ---"]
        lines += [printable(f"{path or found.facts.schema_name}: {what}") for path, what in found.template.left]
    if said := notices(found.settings, found.facts.created_at.date()):
        lines += ["", *map(printable, said)]
    if found.prefect_problem is not None:
        lines += ["", printable(f"The record's state is what the files alone tell: {found.prefect_problem}")]
    return "\n".join(lines)


async def check(config: str | None, key: str | None, *, at_once: bool = False) -> Checked:
    """Render the request for ``key``, or for the first runnable record, or else for the first of all. ``at_once``: what
    it costs outside of a batch.

    Raises ConfigError, SchemaError, PromptError, RecordKeyError, ManifestError.
    """
    settings = load_settings(config_path(config))
    model, template = make_template(settings)
    if key is not None:
        key = str(parse_key(key, field_count=len(settings.record.document_fields)))
    storage = make_storage(settings)
    if not storage.has_records():
        raise ManifestError(storage.records_path, "is missing; run quire scan first")
    ledger, problem = await read_ledger_or_files(settings, storage)
    facts = facts_of(settings, model, template, new_submission_id(), created_at=utc_now())
    if at_once:
        facts = replace(
            facts,
            price=at_standard_price(facts.price),
            prices={name: standard for name, price in facts.prices.items() if (standard := at_standard_price(price))},
        )

    def render() -> Checked:
        row = _chosen(settings, storage, states_now(settings, storage, ledger, now=utc_now()), key)
        return _rendered(settings, storage, template, facts, row, problem)

    return await asyncio.to_thread(render)


def _chosen(settings: Settings, storage: Storage, states: States, key: str | None) -> tuple[pa.Table, pa.Table]:
    """The record's row, and that of the page before it, if there is one."""
    if not len(states):
        raise ManifestError(
            storage.records_path, f"holds no records: are there images in {settings.paths.page_images}?"
        )
    if key is None:
        first = in_running_order(states, context_mode=settings.context.mode).numbers[:1]
        row = states.rows(first if len(first) else np.zeros(1, dtype=np.int64))
    else:
        row = states.rows_of_keys([key])
        if not len(row):
            raise QuireError(f"{key} is not in the record manifest; quire why {key} tells more")
    return row, states.rows_of_keys(row["predecessor"].drop_null())


def _rendered(
    settings: Settings,
    storage: Storage,
    template: RequestTemplate,
    facts: SubmissionFacts,
    chosen: tuple[pa.Table, pa.Table],
    problem: str | None,
) -> Checked:
    rates = rates_of(settings, submissions_table(storage, write=False), facts)
    tariff = replace(tariff_of(settings, facts.created_at.date()), price=facts.price)
    scales = Scales(settings, template, tariff, rates, Load(0, 0, 0), (), unpriced=0, recent_usd=0.0)
    rows = with_sizes_before(*chosen)
    rows = with_repairs(settings, history_table(storage, keys=rows["record_key"].to_pylist(), write=False), rows)
    estimates, _ = scales.weigh(storage, rows)
    context, request = _request(settings, storage, *chosen)
    request = request.append_column("repair", rows["repair"])
    (line,) = batch_requests(request, template=template, previous_results=storage.results())
    columns = [name for name in chosen[0].column_names if name != "image_modified_at"]
    return Checked(
        settings=settings,
        template=template,
        facts=facts,
        line=line,
        row=chosen[0].select(columns).to_pylist()[0],
        rows=chosen,
        context=context,
        estimate=estimates.to_pylist()[0],
        answers=rates.answers,
        prefect_problem=problem,
    )


def _request(settings: Settings, storage: Storage, rows: pa.Table, before: pa.Table) -> tuple[str, pa.Table]:
    """What goes along in words, and the columns of a batch manifest that a request is made from."""
    row: dict[str, Any] = {"record_key": rows["record_key"][0].as_py()}
    row |= {"file_uri": rows["image_path"][0].as_py(), "file_mime_type": rows["image_mime_type"][0].as_py()}
    predecessor = rows["predecessor"][0].as_py()
    mode = settings.context.mode
    said = []
    takes_image = rows["takes_image"][0].as_py()
    if takes_image and len(before):
        path = before["image_path"][0].as_py()
        row |= {"context_key": predecessor, "context_file_uri": path}
        row |= {"context_file_mime_type": before["image_mime_type"][0].as_py()}
        instead = ", in place of its result (context.max_chain)" if mode.waits_for_result else ""
        said.append(f"the image of {predecessor} goes along, {path}{instead}")
    if mode.waits_for_result and not takes_image and predecessor is not None:
        (row["context_key"],) = context_keys(storage, rows)
        has_result = row["context_key"] is not None
        said.append(f"the result of {predecessor} goes along" + ("" if has_result else ", and there is none yet"))
    words = " and ".join(said) or "no page before this one goes along"
    return f"{mode}: {words}", pa.Table.from_pylist([row], schema=_REQUEST_SCHEMA)


def summary(found: Checked) -> list[str]:
    """What is sent and what it is taken to cost, a line each."""
    row, facts, settings = found.row, found.facts, found.settings
    frame = f", image {row['image_frame'] + 1} of the file" if row["image_frame"] else ""
    if row["image_right"] is not None:
        frame += f", columns {row['image_left']} to {row['image_right']}"
    about = {
        "record": f"{row['record_key']} ({row['state']})",
        "image": f"{row['image_path']}{frame}: {row['image_mime_type']}, {row['image_width']} x {row['image_height']} "
        f"pixels, {row['image_bytes']:,} bytes",
        "model": facts.model,
        "prompt": f"{facts.prompt_name} {facts.prompt_version}, hash {facts.prompt_hash}, "
        f"{found.template.prompt_source}",
        "schema": f"{facts.schema_name}, hash {facts.response_schema_hash}",
        "size": _size(found),
        "context": found.context,
        "estimate": _estimate(settings.model.name, found.estimate, found.answers),
    }
    width = max(map(len, about))
    return [printable(f"{name:<{width}}  {text}") for name, text in about.items()]


def _size(found: Checked) -> str:
    """What the schema costs a page, and how much of what the service takes it is."""
    limits, schema = found.settings.limits.of_schema(), dict(found.template.response_schema)
    tokens = int(text_tokens(np.array([schema_bytes(found.template)]))[0])
    price = found.facts.price
    cost = f", {dollars(price.usd(input_tokens=tokens * 1000, output_tokens=0))} for 1,000 pages" if price else ""
    values = sum(len(node.get("enum", ())) for _, node in walk(schema))
    return (
        f"the schema has {tokens:,} tokens on each page{cost}; {schema_depth(schema)} of {limits.depth} levels, "
        f"{values} of {limits.enum_values} enum values, {text_bytes(schema):,} of {limits.text_bytes:,} bytes"
    )


def _estimate(model: str, estimate: Mapping[str, Any], answers: int) -> str:
    tokens = (
        f"{estimate['estimated_image_tokens']:,} tokens of the image, {estimate['estimated_text_tokens']:,} of the "
        f"text, {estimate['estimated_output_tokens']:,} of the answer with its thinking"
    )
    source = f"by {answers} answers so far" if answers else "as the settings expect"
    if estimate["estimated_usd"] is None:
        return f"{tokens} ({source}); no price of {model} is known"
    return f"{tokens} ({source}); about {dollars(estimate['estimated_usd'])}, at most {dollars(estimate['max_usd'])}"

"""A shelf with a page of each kind of outcome, one that passes and one that lasts, runs to its end: what each page
cost, how often it was sent and with what change, by the emulator's books. The same shelf with `repair` off costs
more and reads less. docs/failures.md has the table.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from assets.domain.outcome import OutcomeKind
from assets.repair import Change
from config.failing import WORDINGS
from config.settings import Settings
from tests.detached import Detached, bare_project, detached
from tests.project import Project, make_project

__all__ = ["bare_project"]

DOCS = Path(__file__).parents[2] / "docs"
BEGIN, END = "<!-- the shelf, by its test -->\n", "<!-- end of the shelf -->"
LIMIT, MOST = 32_768, 65_536
RETRIES = 3
FAULTS: dict[str, Any] = {
    "service_error": {"kind": "error", "code": 503, "message": "The model is overloaded"},
    "api_error": {"kind": "error", "code": 499, "message": "The operation was cancelled."},
    "refused": {"kind": "error", "code": 400, "message": "Unable to process input image."},
    "blocked": "blocked_prompt",
    "recitation": {"kind": "blocked_answer", "reason": "RECITATION"},
    "cut_short": {"kind": "cut_short", "fills_limit": True},
    "empty": "empty",
    "not_json": "not_json",
    "schema_mismatch": "wrong_shape",
    "missing": "missing",
    "upload_gone": {"kind": "error", "code": 403, "message": "You do not have permission to access the File."},
}
"""Kind -> how a line is answered."""
ENOUGH: dict[str, dict[str, Any]] = {
    "recitation": {"text_lacks": WORDINGS[1]},
    "cut_short": {"output_tokens_below": MOST},
    "not_json": {"text_lacks": "it was not JSON"},
    "schema_mismatch": {"text_lacks": "it did not fit the schema"},
}
"""Kind -> until when it is answered so, where what is sent decides that; all others pass by themselves."""
ENDS = {"batch_failed": "FAILED", "batch_cancelled": "CANCELLED", "batch_expired": "EXPIRED"}
BY_HAND = [
    ("released", "passes"), ("released", "lasts"), ("image_replaced", "passes"), ("image_replaced", "lasts"),
    ("superseded", "passes"), ("validator_error", "passes"), ("validator_error", "lasts"),
]  # fmt: skip
"""Pages at which no answer is at fault: a person lets go of the batch, puts another image or a result in its place
while it is in flight, or mends a validator (or does not)."""
VALIDATOR = """from pydantic import BaseModel, field_validator


class Page(BaseModel):
    text: str

    @field_validator("text")
    @classmethod
    def look_up(cls, text: str) -> str:
        return KNOWN[text] if text.startswith("odd") else text


KNOWN = {}
"""
OFF = {
    "cut_short": False, "recitation": [], "not_json": False, "schema_mismatch": False, "blocked": False,
    "refused": False, "upload_refused": False,
}  # fmt: skip


@dataclass(frozen=True)
class Page:
    """``kinds``: its outcomes, ``changes``: of its requests in words; ``usd``: what the books say that it cost."""

    sent: int
    kinds: tuple[str, ...]
    changes: tuple[str, ...]
    end: str
    usd: float


Shelf = Mapping[tuple[str, str], Page]


def key_of(kind: str, how: str) -> str:
    return f"A:{kind}:{how}:1"


def _record_rules() -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = []
    for kind, fault in FAULTS.items():
        rules.append({"key": key_of(kind, "lasts"), "steps": [fault]})
        if kind in ENOUGH:
            rules.append({"key": key_of(kind, "passes"), "steps": [fault], **ENOUGH[kind]})
        else:
            rules.append({"key": key_of(kind, "passes"), "steps": [fault, "auto"]})
    return rules


async def _run(project: Project, **repair: Any) -> Shelf:
    project.gemini.reset()
    project.configure(
        context={"mode": "none"},
        model={"generation_config": {"max_output_tokens": LIMIT}},
        execution={"max_retries": RETRIES, "batch_size_limit": 100},
        safety={"max_failed_batches_in_a_row": 10_000, "max_failure_rate": 1},
        retries={"max_service_errors": RETRIES + 1},
        limits={"usd_per_10_minutes": None},
        repair=repair,
    )
    refused = [("upload_refused", "lasts")]
    of_jobs = [(kind, how) for kind in ENDS for how in ("passes", "lasts")]
    of_lines = [(kind, how) for kind in FAULTS for how in ("passes", "lasts")]
    async with detached(project) as first:
        project.gemini.add_fault("upload_start", display_name="*-0-*", status=400, times=None, message="no picture")
        _add(project, refused)
        await first.to_the_end()
        project.gemini.clear_faults()
        _add(project, of_lines)
        project.gemini.set_rules(records=_record_rules())
        await first.to_the_end()
    project.configure(execution={"batch_size_limit": 1})
    async with detached(project, first) as then:
        _add(project, of_jobs)
        lasting = [{"contains_key": key_of(kind, "lasts"), "end": end} for kind, end in ENDS.items()]
        once = [{"contains_key": key_of(kind, "passes"), "end": end} for kind, end in ENDS.items()]
        project.gemini.set_rules(records=_record_rules(), jobs=lasting + once)
        await then.step()
        project.gemini.set_rules(records=_record_rules(), jobs=lasting)
        await then.to_the_end()
    await _by_hand(project, then)
    pages = refused + of_lines + of_jobs + BY_HAND
    books, outcomes = project.gemini.books()["records"], project.outcomes()
    requests = [row for each in project.submissions() for row in project.requests(each)]
    return {page: _page(then, *page, books, outcomes, requests) for page in pages}


async def _by_hand(project: Project, before: Detached) -> None:
    use_schema(project, "failing", VALIDATOR)
    odd = [key_of("validator_error", how) for how in ("passes", "lasts")]
    for key in odd:
        project.gemini.set_steps(key, {"kind": "answer", "json": {"text": f"odd {key}"}})
    async with detached(project, before) as world:
        _add(project, BY_HAND)
        await world.run_pass()
        project.result_path(key_of("superseded", "passes")).parent.mkdir(parents=True, exist_ok=True)
        project.result_path(key_of("superseded", "passes")).write_text('{"text": "by hand"}', encoding="utf-8")
        for sent in range(1, RETRIES + 2):
            for how in ("passes", "lasts") if sent == 1 else ("lasts",):
                await world.release(key_of("released", how))
                image = project.root.joinpath("dataset", "page_images", "A", "image_replaced", how, "1.jpg")
                Image.new("L", (60, 80), 10 * sent).save(image)
            await world.wait()
            await world.run_pass()
        await world.wait()
        await world.to_the_end()
    use_schema(project, "mended", VALIDATOR.replace("{}", f'{{"odd {odd[0]}": "even"}}'))
    async with detached(project, before) as world:
        for key in odd:
            await world.judge_again(key)
        await world.to_the_end()


def use_schema(project: Project, name: str, source: str) -> None:
    """A module of this name, and of this project, in the settings. It stays a module of this process."""
    name = f"own_{project.collection}_{name}"
    (project.root / f"{name}.py").write_text(source, encoding="utf-8")
    project.configure(paths={"schemas": str(project.root)}, schema=f"{name}:Page")


def _add(project: Project, pages: Sequence[tuple[str, str]]) -> None:
    for kind, how in pages:
        project.add_pages(f"A:{kind}:{how}", [1])


Rows = Sequence[Mapping[str, Any]]


def _page(world: Detached, kind: str, how: str, all_books: Mapping[str, Any], outcomes: Rows, requests: Rows) -> Page:
    project, key = world.project, key_of(kind, how)
    rows = [row for row in outcomes if row["record_key"] == key]
    books = all_books.get(key, {})
    price = Settings().prices["gemini-3.5-flash"]
    changes = [Change.from_text(row["repair"]).in_words() for row in requests if row["record_key"] == key]
    output = books.get("outputTokens", 0) + books.get("thoughtsTokens", 0)
    end = "read" if project.result(key) is not None else "dead letter" if key in world.counts else "held"
    return Page(
        sent=len({row["submission_id"] for row in rows}),
        kinds=tuple(row["kind"] for row in rows),
        changes=tuple(each for each in changes if each),
        end=end,
        usd=(books.get("promptTokens", 0) * price.input_usd + output * price.output_usd) * price.batch_factor / 1e6,
    )


def table_of(on: Shelf, off: Shelf) -> str:
    lines = [
        "| failure | the page | sent | changed to | ends as | cost | with `repair` off: sent | ends as | cost |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for (kind, how), page in on.items():
        other = off[kind, how]
        changed = "; ".join(dict.fromkeys(page.changes)) or "-"
        lines.append(
            f"| `{kind}` | {how} | {page.sent} | {changed} | {page.end} | ${page.usd:.4f} | {other.sent} | {other.end} "
            f"| ${other.usd:.4f} |"
        )
    sums = [sum(page.usd for page in shelf.values()) for shelf in (on, off)]
    read = [sum(page.end == "read" for page in shelf.values()) for shelf in (on, off)]
    sends = [sum(page.sent for page in shelf.values()) for shelf in (on, off)]
    lines.append(
        f"| all | {len(on)} pages | {sends[0]} | | {read[0]} read | ${sums[0]:.4f} | {sends[1]} | {read[1]} read "
        f"| ${sums[1]:.4f} |"
    )
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("max_retries", [Settings().execution.max_retries, 20])
async def test_a_page_that_never_ends_is_billed_fifteen_times_the_first_limit_and_no_more(
    bare_project: Project, max_retries: int
) -> None:
    usual = Settings().model.generation_config["max_output_tokens"]
    assert isinstance(usual, int)
    [key] = bare_project.add_pages("A:endless:1", [1])
    bare_project.configure(
        context={"mode": "none"},
        model={"generation_config": {"max_output_tokens": usual}},
        execution={"max_retries": max_retries},
        safety={"max_failed_batches_in_a_row": 100},
        limits={"usd_per_10_minutes": None},
    )
    bare_project.gemini.set_steps(key, FAULTS["cut_short"])
    async with detached(bare_project) as world:
        await world.step()
        await world.step()
        flying = await world.why(key)
        await world.to_the_end()
        assert world.counts[key] > max_retries, "a dead letter"
        told = await world.why(key)

    answers = bare_project.gemini.books()["records"][key]["answers"]
    billed = [each["outputTokens"] for each in answers]
    assert billed == [usual, 2 * usual, 4 * usual, 8 * usual]
    assert sum(billed) == 15 * usual
    assert billed[-1] == MOST
    in_docs = " ".join((DOCS / "repair.md").read_text(encoding="utf-8").split())
    first, second, third, last = (f"{tokens:,}" for tokens in billed)
    assert f"{first}, {second}, {third} and {last}, {sum(billed):,} in all: 15 times the limit" in in_docs
    assert f", with up to {billed[1]:,} output tokens" in flying.splitlines()[1], "the one that is in flight"
    for tokens in billed[1:]:
        assert re.search(rf"  cut_short  .*\[up to {tokens:,} output tokens\]", told)


@pytest.fixture
def emptied(bare_project: Project) -> Iterator[Project]:
    yield bare_project
    bare_project.gemini.clear_faults()


async def test_a_shelf_of_failures_costs_less_and_reads_more_with_repair_than_without(
    emptied: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = make_project(tmp_path_factory.mktemp("off"), collection="off", gemini=emptied.gemini)
    off = await _run(other, **OFF)
    on = await _run(emptied)

    seen = {kind for page in on.values() for kind in page.kinds}
    assert seen == {kind.value for kind in OutcomeKind}, "each kind that there is"
    by_itself = {page for page in off if page[1] == "passes" and page[0] not in ENOUGH}
    assert (on["released", "lasts"].end, on["image_replaced", "lasts"].end) == ("held", "held")
    assert (on["validator_error", "passes"].sent, on["validator_error", "lasts"].end) == (1, "held")
    assert {page for page, found in off.items() if found.end == "read"} == by_itself
    assert {page for page, found in on.items() if found.end == "read"} == {page for page in on if page[1] == "passes"}
    assert sum(page.usd for page in on.values()) < sum(page.usd for page in off.values())
    assert sum(page.sent for page in on.values()) < sum(page.sent for page in off.values())
    for kind in ("blocked", "refused", "upload_refused", "cut_short"):
        assert (on[kind, "lasts"].sent, off[kind, "lasts"].sent) == (2, RETRIES + 1), kind
        assert on[kind, "lasts"].end == off[kind, "lasts"].end == "dead letter"
    assert on["cut_short", "passes"].changes == (f"up to {MOST:,} output tokens",)
    assert on["recitation", "passes"].changes == ("wording 1 for recitations", "wording 2 for recitations")

    table = table_of(on, off)
    told = (DOCS / "failures.md").read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    assert told == table, f"docs/failures.md should have this table:\n{table}"

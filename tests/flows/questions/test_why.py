"""``quire why``: the state of one record in words, what made its result, what became of it so far."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from assets.domain.errors import RecordKeyError
from flows.poll import poll
from flows.questions.why import why_json, why_text
from flows.terminal.reruns import Words, rerun_text, unblock_text, undo_rerun_text
from flows.terminal.show import release_text, status_text
from tests.command import run_quire
from tests.prefect_server import PrefectServer
from tests.project import JOB_SECONDS, Project


async def lines(project: Project, key: str) -> list[str]:
    return (await why_text(str(project.config), key)).splitlines()


async def document(project: Project, key: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await why_json(str(project.config), key))
    return found


@pytest.mark.light
async def test_each_state_is_told_with_its_reason(project: Project) -> None:
    project.configure(execution={"max_retries": 0})
    dead, behind, last = project.add_pages("CA:Lincoln:1901", [1, 2, 3])
    good, flying = project.add_pages("TX:Austin:1901", [1, 2])
    project.gemini.set_steps(dead, "not_json")
    await project.run_pass()
    first = await lines(project, dead)
    [submission_id] = project.submissions()
    [batch] = await project.variable("active_batch_ids")
    assert first[1].startswith(f"in flight in {batch} since 20")
    assert first[1].endswith(f" UTC, submission {submission_id}")
    assert "it has no outcome so far" in first
    assert (await lines(project, behind))[1] == f"waiting: the page before, {dead}, has no result; it is in flight"

    project.gemini.advance(JOB_SECONDS)
    await project.run_pass()

    assert (await lines(project, dead))[1].startswith(
        f"dead letter: 1 failure, and max_retries is 0; quire unblock {dead} tries it again; last: not_json ("
    )
    assert (await lines(project, behind))[1] == (
        f"waiting: the page before, {dead}, has no result; it is a dead letter, 1 failure"
    )
    assert (await lines(project, last))[1] == (
        f"waiting: the page before, {behind}, has no result; it waits itself, first of all for {dead}, which is a dead "
        "letter, 1 failure"
    )
    assert (await lines(project, flying))[1].startswith("in flight in batches/")
    done = (await lines(project, good))[1]
    assert done.startswith("done: result made on 20")
    for part in (
        " by gemini-3.5-flash",
        "prompt page_transcript v1 (",
        "PageTranscript (",
        "TX/Austin/1901/1.jpg (sha256",
    ):
        assert part in done
    assert done.endswith(f"submission {submission_id}, batch {batch}")


@pytest.mark.light
async def test_a_record_that_can_run_tells_how_often_it_failed(project: Project) -> None:
    [key] = project.add_pages("CA:Lincoln:1901", [1])
    project.gemini.set_steps(key, "empty", "auto")
    await project.run_pass()
    project.gemini.advance(JOB_SECONDS)
    await poll(str(project.config))

    assert (await lines(project, key))[1] == (
        "runnable: the next pass that has a free place sends it; 1 failure so far, retry 1 of 3"
    )


@pytest.mark.light
async def test_what_made_a_result_and_every_outcome_before_it(project: Project) -> None:
    [key] = project.add_pages("CA:Lincoln:1901", [1])
    project.gemini.set_steps(key, "not_json", "auto")
    await project.run_until_idle()

    found = await document(project, key)

    failed, good = project.outcomes()
    assert [each["kind"] for each in found["history"]] == ["not_json", "success"]
    assert [each["submission_id"] for each in found["history"]] == project.submissions()
    assert found["history"][0]["message"] == failed["message"]
    # The price that is shipped for the model, half of it in a batch.
    for told, outcome in zip(found["history"], (failed, good), strict=True):
        output = (outcome["output_tokens"] or 0) + (outcome["thoughts_tokens"] or 0)
        assert told["usd"] == pytest.approx((outcome["prompt_tokens"] * 1.5 + output * 9.0) / 2 / 1e6)
    maker = found["made_by"]
    assert (maker["submission_id"], maker["batch_id"]) == (good["submission_id"], good["batch_id"])
    kept = Path(found["prompt_file"])
    assert kept.name == f"v1-{maker['prompt_hash'][:12]}.jinja"
    assert found["image"] is None, "it is the one that was sent"
    shown = await lines(project, key)
    assert sum(line.startswith("  20") and "$" in line for line in shown) == 2


@pytest.mark.light
async def test_what_a_person_has_done_stands_in_the_history_with_its_time(project: Project) -> None:
    project.configure(execution={"max_retries": 0})
    [key] = project.add_pages("CA:Lincoln:1901", [1])
    project.gemini.set_steps(key, "empty", "auto", "auto")
    await project.run_until_idle()
    config = str(project.config)
    await unblock_text(config, Words([key]))
    await project.run_until_idle()
    await rerun_text(config, Words([key]))
    await undo_rerun_text(config, Words([key]))
    await rerun_text(config, Words([key]))
    await project.run_pass()
    [batch] = await project.variable("active_batch_ids")
    await release_text(config, batch, cancel=True)
    project.result_path(key).write_text("{}", encoding="utf-8")

    def past(said: list[str]) -> list[str]:
        return [re.sub(r"^  20..-..-.. ..:..  ([0-9a-z]{26}  )?", "", line) for line in said if line.startswith("  20")]

    said = past(await lines(project, key))
    acts = ["unblock, to have it tried again", "rerun, to have it read again", "undo-rerun, to let its result be"]
    unblocked, asked, undone = (f"a person: quire {act}" for act in acts)
    assert [line if line.startswith("a person") else line.partition("  ")[0] for line in said] == [
        *("empty", unblocked, "success", asked, undone, asked, "released"),
        "a person: its result was edited, or put there, last",
    ]
    model = "gemini-3.5-flash, page_transcript v1"
    assert all(model in line for line in said if not line.startswith("a person"))
    assert "released by a person" in said[-2]
    found = await document(project, key)
    assert [each["act"] for each in found["acts"]] == ["unblock", "rerun", "undo-rerun", "rerun", "edited"]
    assert all(each["at"].startswith("20") for each in found["acts"])
    [other] = project.add_pages("CA:Lincoln:1901", [2])
    assert (await document(project, other))["acts"] == []

    # Nothing is decided by it: what is damaged is told, what is gone is not missed.
    for path in (project.manifests / "acts").iterdir():
        path.write_text("no JSON", encoding="utf-8")
    damaged = (await lines(project, key))[-1]
    assert damaged.startswith(f"what a person has done is not known: {project.manifests / 'acts'}")


@pytest.mark.light
async def test_a_page_that_no_further_try_would_help_has_not_failed_four_times(project: Project) -> None:
    blocked, behind = project.add_pages("CA:Lincoln:1901", [1, 2])
    project.gemini.set_steps(blocked, "blocked_prompt")
    await project.run_until_idle()
    assert await project.variable("record_failure_counts") == {blocked: 4}, "more than max_retries"
    assert project.gemini.record(blocked)["submitted"] == 2

    said = "blocked, failed twice, and no further try would help"
    why = await lines(project, blocked)
    assert why[1].startswith(f"dead letter: {said}; quire unblock {blocked} tries it again; last: blocked")
    assert (await lines(project, behind))[1].endswith(f"it is a dead letter, {said}")
    assert f"dead letter {blocked}: {said}, 1 records wait behind it" in await status_text(str(project.config))
    # What a person types is a number and no such failure.
    await project.edit_variable("record_failure_counts", {blocked: 7})
    assert (await lines(project, blocked))[1].startswith("dead letter: 7 failures, and max_retries is 3")


@pytest.mark.light
async def test_an_image_that_was_replaced_is_told_from_one_that_was_touched(project: Project) -> None:
    [key] = project.add_pages("CA:Lincoln:1901", [1])
    await project.run_until_idle()
    path = project.root / "dataset/page_images/CA/Lincoln/1901/1.jpg"

    os.utime(path, (1, 1))
    assert "the image file was touched, its content is the same" in await lines(project, key)
    Image.new("RGB", (60, 80), "black").save(path)
    assert f"the image was replaced since: quire rerun {key} reads it again" in await lines(project, key)
    path.unlink()
    assert "the image file is gone: dataset/page_images/CA/Lincoln/1901/1.jpg" in await lines(project, key)


@pytest.mark.light
async def test_a_record_that_was_read_again_bears_its_later_maker(project: Project) -> None:
    [key] = project.add_pages("CA:Lincoln:1901", [1])
    project.add_pages("TX:Austin:1901", [1])
    await project.run_until_idle()
    project.result_path(key).unlink()
    project.configure(model={"name": "gemini-2.5-flash-lite"})
    await project.run_until_idle()

    found = await document(project, key)

    assert (found["state"], found["made_by"]["model"]) == ("done", "gemini-2.5-flash-lite")
    assert [each["usd"] is None for each in found["history"]] == [False, True], "no price of the second is known"
    assert any("no price was known" in line for line in await lines(project, key))


@pytest.mark.light
async def test_a_page_that_is_not_in_the_manifest(project: Project) -> None:
    key = "CA:Lincoln:1901:7"
    assert (await lines(project, key))[1] == "not in the record manifest: there is none yet; run quire scan first"
    project.add_pages("CA:Lincoln:1901", [1])
    project.configure(filters={"state": ["CA"]})
    await project.run_pass()
    assert (
        "7.jpg or alike), and was quire scan run since? do the filters let it through (state)?"
        in (await lines(project, key))[1]
    )

    table = pa.table(
        {
            "path": ["x/CA/Lincoln/1901/0007.gif", "x/CA/Lincoln"],
            "reason": ["no\x1b[2J image", "r"],
            "left_out": [True, True],
        }
    )
    pq.write_table(table, project.manifests / "left_out.parquet")
    said = (await lines(project, key))[1]
    assert said == "not in the record manifest: the scan left out x/CA/Lincoln/1901/0007.gif: no\\x1b[2J image"
    assert "\\u001b" in await why_json(str(project.config), key)
    (project.manifests / "left_out.parquet").write_bytes(b"no table")
    assert "was quire scan run since?" in (await lines(project, key))[1], "what cannot be read tells nothing"


@pytest.mark.light
async def test_a_result_that_nobody_here_made_is_done(project: Project) -> None:
    [key] = project.add_pages("CA:Lincoln:1901", [1])
    project.result_path(key).parent.mkdir(parents=True)
    project.result_path(key).write_text("{}", encoding="utf-8")
    await project.run_pass()

    assert (await lines(project, key))[1] == "done: there is a result, and no submission of this folder made it"


async def test_a_malformed_key_is_refused(project: Project) -> None:
    for text in ("CA:Lincoln:1901", "CA:Lincoln:1901:1-", "CA:..:1901:1", "a\x1b[2J"):
        with pytest.raises(RecordKeyError):
            await why_text(str(project.config), text)


@pytest.mark.light
async def test_without_prefect_the_files_alone_are_asked(
    project: Project, prefect_server: PrefectServer, tmp_path: Path
) -> None:
    project.configure(execution={"max_retries": 0})
    [dead] = project.add_pages("CA:Lincoln:1901", [1])
    [flying] = project.add_pages("TX:Austin:1901", [1])
    project.configure(execution={"batch_size_limit": 1})
    project.gemini.set_steps(dead, "empty")
    project.gemini.set_rules(jobs=[{"contains_key": flying, "job_seconds": [90, 90]}], add=True)
    await project.run_pass()
    project.gemini.advance(JOB_SECONDS)
    await project.run_pass()
    before = sorted(path.name for path in project.manifests.rglob("*"))
    nobody_there = prefect_server.environment() | {"PREFECT_API_URL": "http://127.0.0.1:9/api"}
    config = ["--config", str(project.config)]

    told = [await run_quire("why", key, *config, env=nobody_there, cwd=tmp_path) for key in (dead, flying)]
    wrong = await run_quire("why", "CA:x", *config, env=nobody_there, cwd=tmp_path)

    assert [each.code for each in told] == [0, 0], told
    assert "dead letter: 1 failure, and max_retries is 0" in told[0].out
    assert "in flight in batches/" in told[1].out
    for each in told:
        line = each.out.splitlines()[-1]
        assert line.startswith("This is what the files alone tell: Prefect does not answer at http://127.0.0.1:9/api")
    assert (wrong.code, wrong.out) == (1, "")
    assert wrong.err == "quire: 'CA:x' is no record key: it has 1 document fields, this collection has 3\n"
    assert sorted(path.name for path in project.manifests.rglob("*")) == before, "looking writes nothing"

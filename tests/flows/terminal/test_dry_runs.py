"""``--dry-run`` of the commands that change something: each says what it would do, and nothing is changed by it. Those
that have their own tests are not here: run, submit, scan, rerun, unblock, release, init."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.command import Ended, run_quire
from tests.emulator_server import API_KEY
from tests.prefect_server import PrefectServer
from tests.project import JOB_SECONDS, Project


@pytest.fixture
def environment(prefect_server: PrefectServer) -> dict[str, str]:
    return prefect_server.environment() | {"GEMINI_API_KEY": API_KEY}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".log"}


@pytest.mark.light
async def test_each_says_what_it_would_do_and_does_nothing(
    project: Project, environment: dict[str, str], tmp_path: Path
) -> None:
    project.configure(execution={"max_retries": 0, "batch_size_limit": 1})
    good, bad = project.add_pages("CA:Lincoln:1901", [1]) + project.add_pages("TX:Austin:1901", [1])
    (slow,) = project.add_pages("UT:Provo:1901", [1])
    project.gemini.set_rules(
        records=[{"key": bad, "steps": ["empty"]}], jobs=[{"contains_key": slow, "job_seconds": [9999, 9999]}]
    )
    config, kept = ["--config", str(project.config)], tmp_path / "kept"

    async def quire(*arguments: str) -> Ended:
        return await run_quire(*arguments, *config, env=environment, cwd=tmp_path)

    assert (await quire("poll", "--dry-run")).out == "no batch is active\nnothing is done\n"
    assert "nothing to back up" in (await quire("backup", str(kept), "--dry-run")).out
    await project.run_pass()
    await asyncio.to_thread(project.gemini.advance, JOB_SECONDS)
    await project.edit_variable("record_failure_counts", {good: 2})
    files, variables = contents(project.root), await project.variables()

    polled = await quire("poll", "--dry-run")
    pruned = await quire("prune", "--dry-run")
    backed_up = await quire("backup", str(kept), "--dry-run")
    recovered = await quire("recover", "--dry-run", "--yes")
    accepted = await quire("recover", "--accept-folders", "--dry-run")
    served = await quire("serve", "--dry-run")

    for each in (polled, pruned, backed_up, recovered, accepted, served):
        assert (each.code, each.err) == (0, ""), each
    batches = await project.variable("active_batch_ids")
    *told, end = polled.out.splitlines()
    assert (len(told), end) == (len(batches) == 3 and 3, "nothing is done")
    assert sorted(line.partition(": ")[0] for line in told) == sorted(batches)
    assert sum("SUCCEEDED; it would be settled, with 1 records" in line for line in told) == 2
    assert sum("it would be waited for, with 1 records" in line for line in told) == 1
    assert pruned.out.startswith("0 failure counts would be removed\n"), "nobody with a count is done"
    assert "would be removed from Prefect, but for those whose artifacts are the newest" in pruned.out
    assert f"a list of 0 results would be copied into a new folder in {kept}; nothing is done" in backed_up.out
    assert "Nothing is written. quire recover --yes writes this." in recovered.out
    assert "nothing is written" in accepted.out
    assert "pipeline-served: every 10 minutes: One pass" in served.out
    assert not kept.exists()
    assert contents(project.root) == files
    assert await project.variables() == variables

    await project.run_pass()
    await project.edit_variable("record_failure_counts", {good: 2})
    assert (await quire("prune", "--dry-run")).out.startswith("1 failure count would be removed\n")
    assert await project.variable("record_failure_counts") == {good: 2}
    backup = (await quire("backup", str(kept))).out.partition(":")[0]
    (project.manifests / "left_out.parquet").unlink(missing_ok=True)
    (project.manifests / "kinds.parquet").unlink(missing_ok=True)
    restored = await quire("restore", backup, "--yes", "--dry-run")
    assert restored.code == 0, restored
    assert "Nothing is written." in restored.out
    mark = project.root / "dataset/output_results/.quire"
    mark.unlink()
    accepted = await quire("recover", "--accept-folders", "--dry-run")
    assert accepted.out.endswith(": it would have its mark now\nnothing is done\n")
    assert not mark.exists()


async def test_an_estimate_of_so_many_pages_is_of_those_that_go_first(
    project: Project, environment: dict[str, str], tmp_path: Path
) -> None:
    project.add_pages("CA:Lincoln:1901", range(1, 5))
    config = ["--config", str(project.config)]
    assert (await run_quire("scan", *config, env=environment, cwd=tmp_path)).code == 0

    async def estimated(*more: str) -> Ended:
        return await run_quire("estimate", *more, *config, env=environment, cwd=tmp_path)

    whole = json.loads((await estimated("--json")).out)
    half = json.loads((await estimated("--limit", "2", "--json")).out)
    assert (whole["records"], whole["left"], half["records"], half["left"]) == (4, 4, 2, 4)
    assert (whole["with_context"], half["with_context"]) == (3, 1), "the first page of the chain goes first"
    assert half["image_tokens"] * 2 == whole["image_tokens"]
    assert (await estimated("--limit", "2")).out.startswith("the first 2 of 4 pages are to be sent, ")
    assert (await estimated("--limit", "9")).out.startswith("4 pages are to be sent, ")

"""Pages that are called otherwise than by numbers, from their images to their results: by light passes, on the real
files and against the emulator.
"""

import json

from assets.selection import Selection
from flows.questions.selection import select_records
from tests.detached import bare_project, detached
from tests.project import Project

__all__ = ["bare_project"]

DOCUMENT = "CA:Lincoln:1901"
NAMES = ("iv", "iii", "0000", "001", "02-03", "004", "012v", "012r", "13a")
LABELS = ("0", "1", "2-3", "4", "12r", "12v", "13a", "iii", "iv")
BAD = "blocked_prompt"


async def test_each_page_has_its_own_result_and_the_one_before_it_as_context(bare_project: Project) -> None:
    keys = bare_project.add_pages(DOCUMENT, NAMES)
    ordered = [f"{DOCUMENT}:{label}" for label in LABELS]
    assert sorted(keys) == sorted(ordered)

    async with detached(bare_project) as world:
        await world.to_the_end()

        assert world.batches() == [1] * len(LABELS), "each waits for the one before it"
        sent = [row for each in bare_project.submissions() for row in bare_project.requests(each)]
        assert [row["record_key"] for row in sent] == ordered
        assert [row["context_key"] for row in sent] == [None, *ordered[:-1]]
        folder = bare_project.root / "dataset/output_results/CA/Lincoln/1901"
        assert sorted(path.name for path in folder.iterdir()) == sorted(f"{label}.json" for label in LABELS)
        assert "done" in await world.why(f"{DOCUMENT}:0012v"), "leading zeros do not count"
        assert (await world.run_pass()).is_idle, "what has a result is done"


async def test_the_variables_name_each_page_in_one_way_that_is_read_back(bare_project: Project) -> None:
    bare_project.configure(context={"mode": "none"}, execution={"max_retries": 0})
    spread, *leaves = bare_project.add_pages(DOCUMENT, ["12-13", "1r", "1v", "2r"])
    plain = bare_project.add_pages(DOCUMENT, [12, 13])
    bare_project.gemini.set_rules(records=[{"key": key, "steps": [BAD]} for key in (spread, *leaves)])

    async with detached(bare_project) as world:
        await world.run_pass()
        views = json.dumps(world.variables.values[f"{bare_project.collection}_inflight_record_ids"])
        assert f"{DOCUMENT}:1r-2r" in views
        assert f"{DOCUMENT}:12-13" in views, "the two pages"
        assert f"{DOCUMENT}:=12-13" in views, "the spread"
        await world.wait()
        await world.to_the_end()

        assert world.counts == {f"{DOCUMENT}:=12-13": 1, **dict.fromkeys(leaves, 1)}
        status = await world.status()
        assert sorted(status.dead_letters) == sorted([spread, *leaves])
        assert await world.unblock(f"{DOCUMENT}:=12-13") == (1, 0)
        assert world.counts == dict.fromkeys(leaves, 1)
        assert await world.unblock(f"{DOCUMENT}:1r-1v") == (2, 0)
        assert world.counts == {f"{DOCUMENT}:2r": 1}
        services = world.passes.services
        ledger = await services.ledger.read()
        chosen = Selection(entries=(f"{DOCUMENT}:12", f"{DOCUMENT}:=012-013", f"{DOCUMENT}:1r-9v"))
        assert select_records(services.settings, services.storage, ledger, chosen) == [plain[0], spread, *leaves]

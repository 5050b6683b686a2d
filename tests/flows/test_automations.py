"""`quire automations` against a real server: said twice it changes nothing, it follows the settings, and what is not
this collection's own is never touched. That the alarms ring is tested in test_alarms.py.
"""

from pathlib import Path
from typing import Any

import pytest
from prefect.blocks.system import Secret
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import get_client
from prefect.events.actions import DoNothing
from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger

from flows.alarms.automations import apply_text, delete_text, list_text
from flows.steering import automations
from tests.command import Ended, run_quire
from tests.flows.recorded import Recorded
from tests.prefect_server import PrefectServer, new_collection
from tests.project import Project, make_project

RULES = 12


async def owned(collection: str) -> dict[str, Automation]:
    """The automations of a collection, by the alarm."""
    async with get_client() as client:
        found = await client.read_resource_related_automations(f"quire.collection.{collection}")
    return {each.tags[-1].removeprefix("quire-alarm:"): each for each in found}


async def test_apply_follows_the_settings_and_touches_nothing_else(
    project: Project, prefect_server: PrefectServer, tmp_path: Path
) -> None:
    config = str(project.config)
    environment = prefect_server.environment()

    async def quire(*arguments: str) -> Ended:
        return await run_quire("automations", *arguments, "--config", config, env=environment, cwd=tmp_path)

    other = make_project(tmp_path / "other", collection=new_collection(), gemini=project.gemini)
    for each in (project, other):
        await Webhook(url="http://127.0.0.1:9/hook").asave(each.collection, overwrite=True)
        each.configure(alerts={"send_to": [f"webhook/{each.collection}"]})
    await apply_text(str(other.config))
    name = f"Quire {project.collection}: by a person"
    by_a_person = AutomationCore(name=name, trigger=EventTrigger(expect={"quire.*"}), actions=[DoNothing()])
    async with get_client() as client:
        persons_own = await client.create_automation(by_a_person)

    assert (await quire("apply")).out.splitlines()[-1] == f"{RULES} automations tell webhook/{project.collection}"
    made = await owned(project.collection)
    assert len(made) == RULES
    assert all(each.tags[:2] == ["quire", project.collection] for each in made.values())
    again = await quire("apply")
    assert (again.code, again.out) == (
        0,
        f"{RULES} automations tell webhook/{project.collection}; they were there already\n",
    )
    assert await owned(project.collection) == made

    # A person switches two off and gives another one a name of their own; the settings change.
    async with get_client() as client:
        for alarm in ("budget", "failed"):
            await client.pause_automation(made[alarm].id)
        renamed = AutomationCore.model_validate(
            made["breaker"].model_dump(exclude={"owner_resource"}) | {"name": "mine"}
        )
        await client.update_automation(made["breaker"].id, renamed)
    project.configure(alerts={"overdue_hours": None, "remind_hours": 12})
    listed = (await quire("list")).out
    assert "budget     switched off       Quire" in listed
    assert "overdue    to be removed " in listed
    assert "failed     to be changed " in listed
    assert (await quire("apply", "--dry-run")).out.splitlines()[-1] == "Nothing is written."
    assert set(await owned(project.collection)) == set(made)
    said = await apply_text(config)
    assert sorted(line.partition(":")[0] for line in said.splitlines()[:-1]) == ["changed", "changed", "removed"], said
    changed = await owned(project.collection)
    assert set(made) - set(changed) == {"overdue"}
    assert {key: each.id for key, each in changed.items()} == {key: made[key].id for key in changed}
    assert changed["failed"].trigger.within.total_seconds() == 12 * 3600  # type: ignore[union-attr]
    assert [key for key, each in changed.items() if not each.enabled] == [
        key for key in changed if key in ("budget", "failed")
    ]
    assert changed["breaker"].name == made["breaker"].name

    removed = await quire("delete")
    assert removed.out.splitlines()[-1] == f"{RULES - 1} automations removed"
    assert await owned(project.collection) == {}
    assert (await delete_text(config)) == "there is none"
    assert len(await owned(other.collection)) == RULES
    async with get_client() as client:
        assert (await client.read_automation(persons_own)) is not None
        await client.delete_automation(persons_own)

    # The same from Prefect: as its form opens it only shows.
    recorded = Recorded(project)
    assert (await automations(config)).endswith("Nothing is written.")
    assert await owned(project.collection) == {}
    assert (await automations(config, dry_run=False)).endswith(f"tell webhook/{project.collection}")
    assert len(await owned(project.collection)) == RULES - 1
    assert "automations removed" in await automations(config, delete=True, dry_run=False)
    assert await owned(project.collection) == {}
    assert len(await recorded.artifacts("automations")) == 3
    await delete_text(str(other.config))


@pytest.mark.parametrize(
    ("send_to", "says"),
    [
        ([], "alerts.send_to: names nobody who is told; it lists blocks in Prefect: make one under Blocks in"),
        (["webhook/nobody"], "alerts.send_to: Prefect has no block webhook/nobody: make one under Blocks in Prefect's"),
        (["no-such-kind/x"], "alerts.send_to: Prefect has no block no-such-kind/x: make one under Blocks in Prefect's"),
        (["secret/told"], "the block secret/told is neither a webhook nor one for notifications"),
        (["webhook"], "alerts.send_to.0: must be the kind and the name of a block in Prefect, such as webhook/alarms"),
    ],
)
async def test_who_cannot_be_told_is_named_in_one_line(
    project: Project, prefect_server: PrefectServer, tmp_path: Path, send_to: list[str], says: str
) -> None:
    if send_to == ["secret/told"]:
        await _make_secret()
    project.configure(alerts={"send_to": send_to})

    ended = await run_quire(
        "automations", "apply", "--config", str(project.config), env=prefect_server.environment(), cwd=tmp_path
    )

    assert (ended.code, ended.out) == (1, "")
    assert says in ended.err
    assert ended.err.count("\n") == 1
    assert await owned(project.collection) == {}
    if not send_to:
        assert "alerts.send_to names nobody who is told" in await list_text(str(project.config))


async def _make_secret() -> Any:
    return await Secret(value="x").asave("told", overwrite=True)

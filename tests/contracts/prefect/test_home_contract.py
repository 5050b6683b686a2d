"""What every LedgerGateway promises of ``quire_home``, on a real Prefect server and in memory: what makes it, what it
tells of an exchanged database, and how the Variables are made anew."""

import asyncio

import pytest

from assets.domain.errors import HomeMismatchError, LedgerError
from assets.domain.home import Home
from flows.gateways.ports import LedgerGateway
from tests.contracts.prefect.worlds import World

BATCH = "batches/abc123"
SUBMISSION = "01jd0000000000000000000000"
CLAIM = f"submitting/{SUBMISSION}"


async def test_a_database_without_a_home_is_never_read_as_empty(world: World) -> None:
    gateway = world.gateway()
    assert await gateway.read_home() is None
    with pytest.raises(LedgerError, match=f"Variable {world.prefix}quire_home: .*A folder or a database was exchanged"):
        await gateway.read()
    with pytest.raises(LedgerError, match="quire_home"):
        async with gateway.transaction():
            pytest.fail("the body of a transaction ran")


async def test_a_home_comes_with_four_empty_variables_that_are_tagged(world: World) -> None:
    assert await world.gateway().create_home("home-1") == "home-1"
    assert await world.values() == {
        "active_batch_ids": [],
        "batch_record_keys": {},
        "inflight_record_ids": [],
        "quire_home": {"id": "home-1", "newest_submission": "", "closed": 0},
        "record_failure_counts": {},
    }
    assert await world.tags("record_failure_counts") == ["quire", world.prefix[:-1]]
    snapshot = await world.gateway().read()
    assert (snapshot.active, dict(snapshot.counts)) == ((), {})


async def test_whoever_is_first_makes_the_home(world: World) -> None:
    ids = await asyncio.gather(*(world.gateway().create_home(f"home-{n}") for n in range(3)))
    assert len(set(ids)) == 1
    assert await world.gateway().read_home() == Home(ids[0])


async def test_a_crash_before_the_home_was_made_heals(world: World) -> None:
    await world.put("active_batch_ids", [])
    await world.put("record_failure_counts", {})
    assert await world.gateway().create_home("home-1") == "home-1"
    assert len(await world.values()) == 5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("active_batch_ids", [BATCH]),
        ("record_failure_counts", {"CA:Lincoln:2023:4": 1}),
        ("record_failure_counts_2", {"CA:Lincoln:2023:4": 1}),
        ("batch_record_keys", {BATCH: []}),
        ("inflight_record_ids", "CA:Lincoln:2023:4"),
        ("record_failure_counts", []),
    ],
)
async def test_variables_that_hold_something_get_no_home(world: World, name: str, value: object) -> None:
    await world.put(name, value)
    with pytest.raises(LedgerError, match=rf"^Variable {world.prefix}{name}: .*A folder or a database was exchanged"):
        await world.gateway().create_home("home-1")
    assert await world.values() == {name: value}


async def test_an_exchanged_database_stops_a_gateway_that_saw_the_first(world: World, ledger: LedgerGateway) -> None:
    await ledger.read()
    await world.put("quire_home", "home-2")
    with pytest.raises(HomeMismatchError, match="quire_home changed"):
        await ledger.read()


async def test_the_newest_submission_stands_in_the_home_and_never_goes_back(
    world: World, ledger: LedgerGateway
) -> None:
    older = SUBMISSION.replace("j", "a")
    async with ledger.transaction() as change:
        for each in (older, SUBMISSION, older):
            await change.note_submissions(newest=each)
        for count in (1, 3, 2):
            await change.note_submissions(closed=count)
    assert await ledger.read_home() == Home("home-1", SUBMISSION, 3)
    assert (await world.values())["quire_home"] == {"id": "home-1", "newest_submission": SUBMISSION, "closed": 3}


async def test_a_home_of_before_is_its_id_and_comes_into_todays_form(world: World, ledger: LedgerGateway) -> None:
    await world.put("quire_home", "home-1")
    assert await world.gateway().read_home() == Home("home-1", None)
    async with ledger.transaction() as change:
        await change.note_submissions()
    assert (await world.values())["quire_home"] == {"id": "home-1", "newest_submission": "", "closed": 0}


async def test_a_database_that_was_restored_while_we_ran_stops_a_gateway(world: World, ledger: LedgerGateway) -> None:
    async with ledger.transaction() as change:
        await change.note_submissions(newest=SUBMISSION)
    await ledger.read()
    await world.put("quire_home", {"id": "home-1", "newest_submission": "", "closed": 0})
    with pytest.raises(HomeMismatchError, match="quire_home changed"):
        await ledger.read()


@pytest.mark.parametrize("value", [1, "", [], {}, {"id": "a"}, {"id": "a", "newest_submission": ""}])
async def test_a_home_that_cannot_be_understood_is_named(world: World, ledger: LedgerGateway, value: object) -> None:
    await world.put("quire_home", value)
    with pytest.raises(LedgerError, match=f"Variable {world.prefix}quire_home: it holds no id; put the id of "):
        await ledger.read()


async def test_a_rebuild_makes_the_variables_say_that_and_nothing_else(world: World) -> None:
    gateway = world.gateway()
    await gateway.create_home("home-1")
    await world.put("record_failure_counts", {"CA:Lincoln:2023:1": "two"})
    await world.put("record_failure_counts_2", {"CA:Lincoln:2023:2": 1})
    await world.remove("inflight_record_ids")

    keys = [f"CA:Lincoln:2023:{page}" for page in range(3, 6)]
    await world.gateway().rebuild(
        Home("home-2", SUBMISSION), records={BATCH: (SUBMISSION, keys)}, counts={"CA:Lincoln:2023:9": 3}
    )

    assert await world.values() == {
        "active_batch_ids": [BATCH],
        "batch_record_keys": {BATCH: ["CA:Lincoln:2023:3-5"]},
        "inflight_record_ids": ["CA:Lincoln:2023:3-5"],
        "quire_home": {"id": "home-2", "newest_submission": SUBMISSION, "closed": 0},
        "record_failure_counts": {"CA:Lincoln:2023:9": 3},
    }
    assert (await world.gateway().read()).counts == {"CA:Lincoln:2023:9": 3}
    with pytest.raises(HomeMismatchError):
        await gateway.read()


async def test_a_rebuild_that_does_not_fit_writes_nothing(world: World) -> None:
    await world.gateway().create_home("home-1")
    before = await world.values()
    many = {f"batches/{number:060}": (SUBMISSION, ["CA:Lincoln:2023:3"]) for number in range(90)}
    with pytest.raises(LedgerError, match="90 active batches do not fit"):
        await world.gateway().rebuild(Home("home-2", SUBMISSION), records=many, counts={})
    assert await world.values() == before

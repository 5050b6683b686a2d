"""What every LedgerGateway promises, on a real Prefect server and in memory."""

import asyncio

import pytest

from assets.domain.errors import LeaseLostError, LedgerError
from assets.domain.ledger import CountChange
from assets.domain.ledger_codec import encoded_bytes
from flows.gateways.ports import LedgerGateway
from tests.contracts.prefect.worlds import World

BATCH = "batches/abc123"
SUBMISSION = "01jd0000000000000000000000"
CLAIM = f"submitting/{SUBMISSION}"


def failed(*keys: str) -> list[CountChange]:
    return [CountChange(key, 0, 1) for key in keys]


async def test_what_one_process_writes_another_reads(world: World, ledger: LedgerGateway) -> None:
    async with ledger.transaction() as change:
        await change.set_views({CLAIM: (SUBMISSION, ["CA:Lincoln:2023:2", "CA:Lincoln:2023:1"])})
        await change.set_active([CLAIM])
        await change.apply_counts(failed("CA:Lincoln:2023:4", "TX:Peñón High:1901:3"))
        assert change.ledger.active == (CLAIM,)
    snapshot = await world.gateway().read()
    assert snapshot.active == (CLAIM,)
    assert snapshot.counts == {"CA:Lincoln:2023:4": 1, "TX:Peñón High:1901:3": 1}
    assert (await world.values())["batch_record_keys"] == {CLAIM: ["CA:Lincoln:2023:1-2"]}
    assert (await world.values())["inflight_record_ids"] == ["CA:Lincoln:2023:1-2"]


async def test_what_was_read_or_written_last_is_recalled(world: World, ledger: LedgerGateway) -> None:
    assert (await ledger.recall()).active == (), "a snapshot, where nothing was read"
    async with ledger.transaction() as change:
        written = await change.set_active([CLAIM])
    assert await ledger.recall() == written
    await world.put("active_batch_ids", [BATCH])
    assert await ledger.recall() == written, "what others write is not asked for"
    assert await ledger.recall() != await ledger.read() == await ledger.recall()


async def test_a_count_that_a_person_has_edited_stays(world: World, ledger: LedgerGateway) -> None:
    await world.put("record_failure_counts", {"CA:Lincoln:2023:1-3": 2})
    async with ledger.transaction() as change:
        after = await change.apply_counts(
            [CountChange("CA:Lincoln:2023:2", 1, 2), CountChange("CA:Lincoln:2023:3", 2, 3)]
        )
    assert after.counts == {"CA:Lincoln:2023:1": 2, "CA:Lincoln:2023:2": 2, "CA:Lincoln:2023:3": 3}
    assert (await world.values())["record_failure_counts"] == dict(after.counts)


async def test_a_transaction_sees_what_was_written_before_it_got_the_lock(world: World, ledger: LedgerGateway) -> None:
    other = world.gateway()
    async with ledger.transaction() as change:
        waiting = asyncio.create_task(_active_seen(other))
        await change.set_active([BATCH])
    assert await waiting == (BATCH,)


async def _active_seen(gateway: LedgerGateway) -> tuple[str, ...]:
    async with gateway.transaction() as change:
        return change.ledger.active


async def test_what_does_not_change_is_not_written(world: World, ledger: LedgerGateway) -> None:
    await world.put("record_failure_counts", {"CA:Lincoln:2023:01-40": 2})
    async with ledger.transaction() as change:
        await change.set_active([BATCH])
        await change.set_views({BATCH: (SUBMISSION, ["CA:Lincoln:2023:50"])})
    before = await world.stamps()
    async with ledger.transaction() as change:
        await change.set_active([BATCH])
        await change.set_views({BATCH: (SUBMISSION, ["CA:Lincoln:2023:50"])})
        await change.apply_counts([CountChange("CA:Lincoln:2023:1", 1, 2)])
        await change.remove_counts(["CA:Lincoln:2023:50"])
    assert await world.stamps() == before
    assert (await world.values())["record_failure_counts"] == {"CA:Lincoln:2023:01-40": 2}


async def test_a_persons_tags_survive_a_write(world: World, ledger: LedgerGateway) -> None:
    await world.put_tags("record_failure_counts", ["look here"])
    async with ledger.transaction() as change:
        await change.apply_counts(failed("CA:Lincoln:2023:4"))
    assert await world.tags("record_failure_counts") == ["look here"]


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("record_failure_counts", {"CA:Lincoln:2023:4": "two"}, "entry 'CA:Lincoln:2023:4'"),
        ("record_failure_counts", ["CA:Lincoln:2023:4"], "it is a list"),
        ("record_failure_counts", {"CA:Lincoln:4": 1}, "entry 'CA:Lincoln:4'"),
        ("active_batch_ids", "batches/1", "it is a text"),
        ("active_batch_ids", ["batch/1"], "entry 'batch/1'"),
    ],
)
async def test_a_broken_variable_stops_and_changes_nothing(
    world: World, ledger: LedgerGateway, name: str, value: object, named: str
) -> None:
    await world.put(name, value)
    before = await world.stamps()
    for attempt in (ledger.read(), _active_seen(ledger)):
        with pytest.raises(LedgerError) as raised:
            await attempt
        assert str(raised.value).startswith(f"Variable {world.prefix}{name}")
        assert named in str(raised.value)
        assert "\n" not in str(raised.value)
    assert await world.stamps() == before


@pytest.mark.parametrize("name", ["active_batch_ids", "record_failure_counts"])
async def test_an_authority_that_vanished_stops(world: World, ledger: LedgerGateway, name: str) -> None:
    await world.remove(name)
    with pytest.raises(LedgerError, match=f"Variable {world.prefix}{name}: it is missing"):
        await ledger.read()


@pytest.mark.parametrize("value", [[], "all of them", {BATCH: ["CA:Lincoln:2023:1-1000000"]}, {"": [1, None]}])
async def test_a_view_may_hold_anything_and_is_written_anew(world: World, ledger: LedgerGateway, value: object) -> None:
    await world.put("batch_record_keys", value)
    await world.put("inflight_record_ids", value)
    assert (await ledger.read()).active == ()
    async with ledger.transaction() as change:
        await change.set_views({BATCH: (SUBMISSION, ["CA:Lincoln:2023:1"])})
    assert (await world.values())["batch_record_keys"] == {BATCH: ["CA:Lincoln:2023:1"]}
    assert (await world.values())["inflight_record_ids"] == ["CA:Lincoln:2023:1"]


async def test_a_view_that_vanished_is_written_again(world: World, ledger: LedgerGateway) -> None:
    await world.remove("batch_record_keys")
    async with ledger.transaction() as change:
        await change.set_views({BATCH: (SUBMISSION, ["CA:Lincoln:2023:1"])})
    assert (await world.values())["batch_record_keys"] == {BATCH: ["CA:Lincoln:2023:1"]}
    assert "quire" in await world.tags("batch_record_keys")


async def test_without_a_fresh_lease_nothing_is_written(world: World, ledger: LedgerGateway) -> None:
    before = await world.stamps()
    async with ledger.transaction() as change:
        world.lose_lease()
        with pytest.raises(LeaseLostError):
            await change.set_active([BATCH])
        with pytest.raises(LeaseLostError):
            await change.apply_counts(failed("CA:Lincoln:2023:4"))
        with pytest.raises(LeaseLostError):
            await change.set_views({BATCH: (SUBMISSION, ["CA:Lincoln:2023:1"])})
    assert await world.stamps() == before


async def test_two_clients_with_twenty_changes_each_lose_none(world: World, ledger: LedgerGateway) -> None:
    async def work(gateway: LedgerGateway, school: str) -> None:
        for page in range(1, 21):
            async with gateway.transaction() as change:
                await change.apply_counts(failed(f"CA:{school}:2023:{page}"))
                await change.set_active([*change.ledger.active, f"batches/{school}-{page}"])

    await asyncio.gather(work(ledger, "A"), work(world.gateway(), "B"))
    snapshot = await ledger.read()
    assert len(snapshot.counts) == 40
    assert len(snapshot.active) == 40


async def test_long_names_lead_to_references_and_pages_within_the_limit(world: World, ledger: LedgerGateway) -> None:
    """300 records in flight in 300 documents with names of 60 bytes, and 600 that failed."""
    documents = [f"CA:{'Ünïversity of the Sacred Heart ':-<47}{n:03d}:1899" for n in range(300)]
    assert len(documents[0].encode()) == 60
    flying = [f"{document}:1" for document in documents]
    failing = [f"{document}:{page}" for document in documents for page in (2, 4)]
    async with ledger.transaction() as change:
        await change.set_views({BATCH: (SUBMISSION, flying)})
        await change.set_active([BATCH])
        await change.apply_counts(failed(*failing[:400]))
    async with world.gateway().transaction() as change:
        await change.apply_counts(failed(*failing[400:]))
    values = await world.values()
    assert values["batch_record_keys"] == {BATCH: [f"@{SUBMISSION}"]}
    assert values["inflight_record_ids"] == [f"@{SUBMISSION}"]
    assert "record_failure_counts_9" in values
    for name, value in values.items():
        assert encoded_bytes(value) <= 5000, name
    assert (await ledger.read()).counts == dict.fromkeys(failing, 1)

    async with ledger.transaction() as change:
        await change.remove_counts(failing[:500])
    pruned = await world.values()
    assert {name for name in pruned if name.startswith("record_failure_counts")} == {
        "record_failure_counts",
        "record_failure_counts_2",
    }
    assert (await ledger.read()).counts == dict.fromkeys(failing[500:], 1)


async def test_views_go_on_in_further_pages_and_let_go_of_them(world: World, ledger: LedgerGateway) -> None:
    many = {
        f"batches/{n:036d}": (f"01jd{n:022d}", [f"CA:Lincoln:{year}:1" for year in range(1800, 1810)])
        for n in range(100)
    }
    async with ledger.transaction() as change:
        await change.set_views(many)
    values = await world.values()
    first, second = values["batch_record_keys"], values["batch_record_keys_2"]
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert first.keys() | second.keys() == many.keys()
    async with ledger.transaction() as change:
        await change.set_views(dict(list(many.items())[:1]))
    assert "batch_record_keys_2" not in await world.values()


async def test_pages_behind_a_gap_and_behind_the_sixtieth_are_read(world: World, ledger: LedgerGateway) -> None:
    for number in (3, 59, 61, 62):
        await world.put(f"record_failure_counts_{number}", {f"CA:Lincoln:2023:{number}": number})
    assert (await ledger.read()).counts == {f"CA:Lincoln:2023:{number}": number for number in (3, 59, 61, 62)}


async def test_a_full_page_of_letters_outside_ascii_is_taken(world: World, ledger: LedgerGateway) -> None:
    """Our reckoning of bytes is Prefect's, to the byte."""
    await world.put("record_failure_counts", page_of_bytes(5000))
    assert len((await ledger.read()).counts) > 50
    with pytest.raises(ValueError, match=r"5,?000"):
        await world.put("record_failure_counts", page_of_bytes(5001))


def page_of_bytes(size_bytes: int) -> dict[str, int]:
    name = 'Ñandú Қ 東京 \N{OLD ITALIC LETTER A} "quoted"'
    page = {f"CA:{name}:{year}:1": 1 for year in range(1800, 1900)}
    page["CA:" + "x" * (size_bytes - encoded_bytes(page) - len(',"CA::1900:1":1')) + ":1900:1"] = 1
    assert encoded_bytes(page) == size_bytes
    return page

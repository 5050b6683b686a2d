"""What the real ledger does when Prefect is slow, busy, cut off or not there, and how much it asks of it."""

import logging
import re
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from prefect import flow
from prefect.client.orchestration import PrefectClient

from assets.domain.errors import PrefectUnavailableError
from assets.domain.ledger import CountChange
from flows.gateways.prefect.api import PrefectApi, engine_client, engine_errors_told
from flows.gateways.prefect.ledger import PrefectLedger
from flows.gateways.prefect.locks import PrefectLock
from tests.prefect_proxy import Fault, PrefectProxy, running_proxy
from tests.prefect_server import PrefectServer, free_port, prefect_settings

KEY = "CA:Lincoln:2023:4"


@pytest.fixture
def proxy(prefect_server: PrefectServer) -> Iterator[PrefectProxy]:
    with (
        running_proxy(prefect_server.api_url) as running,
        prefect_settings(running.api_url, prefect_server.home),
    ):
        yield running


@pytest.fixture
async def ledger(proxy: PrefectProxy, collection: str) -> AsyncIterator[PrefectLedger]:
    async with PrefectApi(sleep=no_wait) as api:
        lock = PrefectLock(f"{collection}_quire_ledger", api=api)
        gateway = PrefectLedger(collection=collection, field_count=3, lock=lock, api=api)
        await gateway.create_home("home-1")
        proxy.requests.clear()
        yield gateway


async def no_wait(_seconds: float) -> None:
    """Between tries: nothing here is better for waiting."""


async def test_503_for_a_while_is_survived(proxy: PrefectProxy, ledger: PrefectLedger) -> None:
    proxy.faults = [Fault("status", "/variables/filter", times=6), Fault("status", "PATCH", times=6)]
    async with ledger.transaction() as change:
        await change.apply_counts([CountChange(KEY, 0, 1)])
    assert (await ledger.read()).counts == {KEY: 1}
    assert proxy.requests["POST /variables/filter"] == 6 + 2


async def test_the_pauses_are_ours_short_and_grow(proxy: PrefectProxy, collection: str) -> None:
    pauses: list[float] = []

    async def note(seconds: float) -> None:
        pauses.append(seconds)

    proxy.faults = [Fault("status", "/variables/filter", times=6)]
    async with PrefectApi(sleep=note) as api:
        lock = PrefectLock(f"{collection}_quire_ledger", api=api)
        assert await PrefectLedger(collection=collection, field_count=3, lock=lock, api=api).read_home() is None
    for pause, least in zip(pauses, (0.1, 0.2, 0.4, 0.8, 1.6, 3.2), strict=True):
        assert least <= pause <= least + 0.1
    assert len({pause % 0.1 for pause in pauses}) == len(pauses), "two that met once would meet again"


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "30"}, {"Prefect-Maintenance": "true"}], ids=str)
@pytest.mark.parametrize("status", [408, 429, 502, 503])
async def test_prefects_client_makes_no_pause_of_its_own(
    proxy: PrefectProxy, collection: str, status: int, headers: dict[str, str]
) -> None:
    proxy.faults = [Fault("status", "/variables/filter", times=100, status=status, headers=headers)]
    # Less than its pause of 2 s: with one, a try would end by its time-out and not by its answer.
    async with PrefectApi(timeout_seconds=1.9, attempts=2, sleep=no_wait) as api:
        lock = PrefectLock(f"{collection}_quire_ledger", api=api)
        with pytest.raises(PrefectUnavailableError, match=rf"\(status {status}\)"):
            await PrefectLedger(collection=collection, field_count=3, lock=lock, api=api).read_home()
    assert proxy.requests["POST /variables/filter"] == 2, "one request for each try"


async def test_prefects_engine_has_one_client_for_all_flows_and_asks_again_soon_where_two_writers_met(
    proxy: PrefectProxy, caplog: pytest.LogCaptureFixture
) -> None:
    @flow
    async def answer() -> int:
        return 42

    async with engine_client():
        proxy.requests.clear()
        proxy.faults = [Fault("status", "POST /flow_runs/", times=2)]
        with caplog.at_level(logging.DEBUG, "prefect.client"):
            assert [await answer() for _ in range(3)] == [42, 42, 42]
    pauses = re.findall(r"attempt will be made in ([0-9.]+)s", caplog.text)
    assert [float(pause) < 1 for pause in pauses] == [True, True], "its own are 2 s and more"
    assert proxy.requests["POST /flow_runs/"] == 2 + 3, "two were refused"
    assert proxy.requests["GET /csrf-token"] <= 1, "which each new client asks for"


async def test_500_is_tried_again_too(proxy: PrefectProxy, ledger: PrefectLedger) -> None:
    proxy.faults = [Fault("status", "/variables/filter", times=2, status=500)]
    assert (await ledger.read()).counts == {}


@pytest.mark.parametrize("kind", ["cut_before", "cut_after"])
async def test_a_cut_connection_does_not_double_a_change(proxy: PrefectProxy, ledger: PrefectLedger, kind: str) -> None:
    more = {f"batches/{n:036d}": (f"01jd{n:022d}", [f"CA:Lincoln:{n}:1"]) for n in range(200)}
    proxy.faults = [
        Fault("cut_after" if kind == "cut_after" else "cut_before", match)
        for match in ("PATCH", "POST /variables/ ", "POST /variables/", "DELETE")
    ]
    async with ledger.transaction() as change:
        await change.apply_counts([CountChange(KEY, 0, 1)])
        await change.set_views(more)
        await change.set_views({})
    snapshot = await ledger.read()
    assert snapshot.counts == {KEY: 1}
    assert [snapshot.stored[f"{snapshot.prefix}{view}"] for view in ("batch_record_keys", "inflight_record_ids")] == [
        {},
        [],
    ]


@pytest.mark.parametrize("kind", ["cut_before", "cut_after"])
async def test_a_home_is_made_once_over_a_cut_connection(proxy: PrefectProxy, collection: str, kind: str) -> None:
    proxy.faults = [Fault("cut_after" if kind == "cut_after" else "cut_before", "POST /variables/", times=1)]
    lock = PrefectLock(f"{collection}_quire_ledger")
    async with PrefectLedger(collection=collection, field_count=3, lock=lock) as gateway:
        assert await gateway.create_home("home-1") == "home-1"
        assert (await gateway.read()).active == ()


async def test_an_outage_that_lasts_is_one_line(proxy: PrefectProxy, ledger: PrefectLedger) -> None:
    proxy.faults = [Fault("status", "/variables/filter", times=1000)]
    with pytest.raises(PrefectUnavailableError) as raised:
        await ledger.read()
    assert str(raised.value) == (
        f"Prefect does not answer at {proxy.api_url} (status 503): start its server, or correct PREFECT_API_URL"
    )
    assert raised.value.retry_helps
    assert 4 < proxy.requests["POST /variables/filter"] < 30


async def test_a_server_that_is_not_there_is_one_line(prefect_server: PrefectServer, collection: str) -> None:
    address = f"http://127.0.0.1:{free_port()}/api"
    with prefect_settings(address, prefect_server.home):
        async with PrefectApi(attempts=2, sleep=no_wait) as api:
            lock = PrefectLock(f"{collection}_quire_ledger", api=api)
            with pytest.raises(PrefectUnavailableError) as raised:
                await PrefectLedger(collection=collection, field_count=3, lock=lock, api=api).read_home()
            with pytest.raises(PrefectUnavailableError):
                async with lock.hold(wait=True):
                    pytest.fail("held a lock of no server")
    assert str(raised.value).startswith(f"Prefect does not answer at {address} (")
    assert str(raised.value).endswith("correct PREFECT_API_URL")
    assert "\n" not in str(raised.value)


async def test_a_server_that_never_answers_is_given_up(proxy: PrefectProxy, collection: str) -> None:
    proxy.faults = [Fault("hang", times=100)]
    async with PrefectApi(timeout_seconds=0.2, attempts=2, sleep=no_wait) as api:
        lock = PrefectLock(f"{collection}_quire_ledger", api=api)
        with pytest.raises(PrefectUnavailableError, match=r"\(TimeoutError\)"):
            await PrefectLedger(collection=collection, field_count=3, lock=lock, api=api).read_home()


async def test_a_wrong_api_key_is_said_and_not_tried_again(proxy: PrefectProxy, ledger: PrefectLedger) -> None:
    proxy.faults = [Fault("status", "/variables/filter", status=401)]
    with pytest.raises(PrefectUnavailableError, match=r"refuses us \(401\): set PREFECT_API_AUTH_STRING"):
        await ledger.read()
    assert proxy.requests["POST /variables/filter"] == 1


async def test_the_address_of_the_ui_is_said_to_be_wrong(prefect_server: PrefectServer, collection: str) -> None:
    with prefect_settings(prefect_server.ui_url, prefect_server.home):
        lock = PrefectLock(f"{collection}_quire_ledger")
        async with PrefectLedger(collection=collection, field_count=3, lock=lock) as gateway:
            with pytest.raises(PrefectUnavailableError, match=r"is not Prefect's API .* ends in /api"):
                await gateway.read_home()


async def test_a_bug_in_a_request_is_not_hidden(proxy: PrefectProxy) -> None:
    async def send(client: PrefectClient) -> None:
        await client.request("POST", "/variables/filter", json={"limit": "many"})

    async with PrefectApi() as api:
        with pytest.raises(httpx.HTTPStatusError, match="422"):
            await api.call(send)


async def test_requests_do_not_grow_with_records(proxy: PrefectProxy, ledger: PrefectLedger) -> None:
    async def settle(records: int, start: int) -> int:
        proxy.requests.clear()
        async with ledger.transaction() as change:
            await change.apply_counts([CountChange(f"CA:Lincoln:2023:{start + n}", 0, 1) for n in range(records)])
            await change.set_views({"batches/a": ("01jd0000000000000000000000", ["CA:Lincoln:2023:1"])})
            await change.set_active(["batches/a"])
        return proxy.requests.total()

    assert await settle(1, 1) - 3 == await settle(100, 2) == await settle(5000, 200)


def test_an_event_that_prefect_cannot_send_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    events = logging.getLogger("prefect.events.utilities")
    stopped = RuntimeError("Cannot put items in a stopped service instance.")
    with engine_errors_told():
        events.error("Error emitting event: %s", "prefect.flow-run.Completed", exc_info=stopped)
    assert [(record.levelname, record.exc_info, record.getMessage()) for record in caplog.records] == [
        (
            "WARNING",
            None,
            "Error emitting event: prefect.flow-run.Completed (Cannot put items in a stopped service instance.): "
            "Prefect does not hear of it, all else goes on",
        )
    ]

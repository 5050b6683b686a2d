"""Requests to Prefect and to Gemini grow with batches, not with records. Counted by a proxy before each of the two.

Left out: uploads and the deletes of uploads, one a page by their nature; what goes by the clock, which is Prefect's log
lines (in bundles), its events (through one websocket), the renewals of leases and the bars of steps that take long; the
Variables of further pages of counts.
"""

import asyncio
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from tests.emulator_server import API_KEY, EmulatorHandle
from tests.http_proxy import CountingProxy, counting_proxy
from tests.prefect_server import drain, new_collection
from tests.project import JOB_SECONDS, make_project

BATCHES = 2
AT_MOST = (86, 64)
"""Of the pass that sends two batches, and of the one that settles them, in a collection that was just begun: the 83 and
59 that they take, and a few more where two writers met at Prefect."""
NOT_COUNTED = re.compile(
    r"^(POST|PUT) /upload/|^DELETE /v1(beta)?/files/|^POST /api/logs|^POST /api/.*/leases/.*/renew$|/api/events|"
    r"^PATCH /api/artifacts/|"
    r"record_failure_counts_\d+"
)


@pytest.mark.parametrize("records", [20, pytest.param(200, marks=pytest.mark.slow)])
async def test_a_pass_over_ten_times_the_records_takes_as_many_requests(
    tmp_path: Path, prefect_api_url: str, gemini: EmulatorHandle, monkeypatch: pytest.MonkeyPatch, records: int
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", API_KEY)
    with counting_proxy(gemini.base_url) as to_gemini, counting_proxy(prefect_api_url) as to_prefect:
        seen = [to_gemini, to_prefect]
        with temporary_settings({PREFECT_API_URL: to_prefect.url}):
            small = await _requests_of_passes(tmp_path / "small", records, gemini, seen)
            large = await _requests_of_passes(tmp_path / "large", 10 * records, gemini, seen)
            # What still waits to be told to Prefect goes through the proxy, while there is one.
            await asyncio.to_thread(drain)

    for few, many, at_most in zip(small, large, AT_MOST, strict=True):
        assert 10 < few.total() <= at_most, few
        assert many.total() <= 1.1 * few.total(), many - few


async def _requests_of_passes(
    folder: Path, records: int, gemini: EmulatorHandle, seen: list[CountingProxy]
) -> list[Counter[str]]:
    """The requests of a pass that sends ``records`` records in two batches, and of one that settles them."""
    through_proxy = replace(gemini, base_url=seen[0].url)
    project = make_project(
        folder,
        collection=new_collection(),
        gemini=through_proxy,
        context={"mode": "none"},
        execution={"max_retries": 0, "batch_size_limit": records // BATCHES},
        limits={"tier": 3},
    )
    keys = project.add_pages("CA:Lincoln:2023", range(1, records + 1))
    gemini.set_rules(records=[{"key": key, "steps": ["empty"]} for key in keys[9::10]])
    found = []
    sent = await project.run_pass()
    assert (sent.submit.submitted, sent.submit.sent) == (BATCHES, records)
    found.append(_counted(seen))
    gemini.advance(JOB_SECONDS)
    settled = await project.run_pass()
    assert settled.poll.outcomes == {"success": records * 9 // 10, "empty": records // 10}
    found.append(_counted(seen))
    return found


def _counted(seen: list[CountingProxy]) -> Counter[str]:
    """The requests since the last look, identifiers left out of their paths."""
    counted: Counter[str] = Counter()
    for proxy in seen:
        for request, count in proxy.take().items():
            if not NOT_COUNTED.search(request):
                counted[re.sub(r"[0-9a-f-]{36}|batch(es/|-).*|t[0-9a-f]{12}", "*", request)] += count
    return counted

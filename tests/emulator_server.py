"""The emulator for tests of any folder: starts one, and speaks to its control plane over HTTP alone, so that the same
handle also serves one in another process."""

import contextlib
import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote

import pytest

from emulator.server import EmulatorOptions, running

JsonObject = dict[str, Any]

API_KEY = "test-key"


@dataclass(frozen=True)
class EmulatorHandle:
    """``base_url``: for the SDK's `HttpOptions(base_url=...)` or the product's `gemini.base_url`."""

    base_url: str

    def books(self) -> JsonObject:
        return self._call("GET", "books")

    def record(self, key: str) -> JsonObject:
        """What the books say of one record key; KeyError if it was never submitted."""
        record: JsonObject = self.books()["records"][key]
        return record

    def existing_files(self) -> list[str]:
        """Names of the uploaded files that are there now, newest first."""
        names: list[str] = self.books()["existing_files"]
        return names

    def requests(self) -> dict[str, int]:
        """Calls since the start or the last reset, by kind."""
        calls: dict[str, int] = self._call("GET", "requests")["calls"]
        return calls

    def peak_requests(self) -> dict[str, int]:
        """The most calls of each kind that were open at once."""
        peak: dict[str, int] = self._call("GET", "requests")["peak"]
        return peak

    def advance(self, seconds: float) -> None:
        """Turn the clock; returns when the jobs that are due by then have ended."""
        self._call("POST", "clock", {"advance": seconds})

    def now(self) -> str:
        return str(self._call("GET", "clock")["now"])

    def add_fault(self, call: str, **fault: Any) -> str:
        """A row of the fault table; returns its id. The fields are those of `emulator.faults.Fault`."""
        ids: list[str] = self._call("POST", "faults", {"call": call, **fault})["ids"]
        return ids[0]

    def faults(self) -> list[JsonObject]:
        """The fault table, each row with how many calls it has seen and struck."""
        rows: list[JsonObject] = self._call("GET", "faults")["faults"]
        return rows

    def clear_faults(self) -> None:
        self._call("DELETE", "faults")

    def set_rules(
        self,
        *,
        records: list[JsonObject] | None = None,
        jobs: list[JsonObject] | None = None,
        add: bool = False,
        **foreign: list[Any],
    ) -> None:
        """Replace the rules, or with ``add`` put new ones before them. The fields are those of `emulator.rules`."""
        self._call(
            "POST", "rules?add=true" if add else "rules", {"records": records or [], "jobs": jobs or [], **foreign}
        )

    def set_steps(self, key: str, *steps: str | JsonObject) -> None:
        """What one key (or glob) is answered with, attempt by attempt; goes before the rules in force."""
        self.set_rules(records=[{"key": key, "steps": list(steps)}], add=True)

    def end_job(self, name: str, state: str, *, result_file: bool | None = None, message: str = "") -> None:
        """Force an active job, by batch id or display name, into a terminal state."""
        body = {"state": state, "result_file": result_file, "message": message}
        self._call("POST", f"jobs/{quote(name)}", body)

    def reset(self) -> None:
        """Forget all files, jobs, faults and counts; back to the rules of the start."""
        self._call("POST", "reset")

    def _call(self, method: str, path: str, body: JsonObject | None = None) -> JsonObject:
        request = urllib.request.Request(
            f"{self.base_url}/emulator/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as response:
                answer: JsonObject = json.load(response)
                return answer
        except HTTPError as error:
            with error:
                message = json.load(error)["error"]["message"]
            raise ValueError(f"the emulator refused {method} {path}: {message}") from None


@contextlib.contextmanager
def emulator(**options: Any) -> Iterator[EmulatorHandle]:
    """An emulator for the length of the block: script engine, a clock turned by hand, jobs that take 10 + 20 seconds of
    it; ``options`` as `EmulatorOptions` has them."""
    chosen = {"clock": "manual", "job_seconds": (10.0, 20.0), **options}
    with running(EmulatorOptions(**chosen)) as base_url:
        yield EmulatorHandle(base_url)


@pytest.fixture(scope="session")
def shared_emulator() -> Iterator[EmulatorHandle]:
    """One server for all tests of a session. Import it beside `gemini`, and use that."""
    with emulator() as handle:
        yield handle


@pytest.fixture
def gemini(shared_emulator: EmulatorHandle) -> EmulatorHandle:
    """An emulator with nothing in it: script engine, manual clock, jobs PENDING for 10 s and RUNNING for 20 s of it."""
    shared_emulator.reset()
    return shared_emulator

"""``quire doctor``: a line for each check, with what to do. It sends nothing that costs, and leaves nothing behind."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from config.settings import Settings, load_settings
from flows.doctor.check import Check, Verdict
from flows.doctor.machine import check_folders, check_python
from flows.doctor.services import check_gemini, check_prefect, check_variables
from flows.runtime.wiring import config_path, make_storage, open_ledger, utc_now


@dataclass(frozen=True, slots=True)
class Diagnosis:
    checks: tuple[Check, ...]

    @property
    def stops_a_pass(self) -> bool:
        return any(check.verdict is Verdict.STOP for check in self.checks)

    def text(self) -> str:
        width = max(len(check.what) for check in self.checks)
        lines = [check.line(width) for check in self.checks]
        stops = sum(check.verdict is Verdict.STOP for check in self.checks)
        end = f"{stops} of these stop a pass" if stops else "nothing of this stops a pass"
        return "\n".join([*lines, end])


async def diagnose(config: str | None, *, now: Callable[[], datetime] = utc_now) -> Diagnosis:
    """Look at everything that a pass needs. ``config``: path of the configuration file. Raises ConfigError."""
    settings = load_settings(config_path(config))
    checks = [check_python(), *check_folders(settings), *await check_prefect(config, settings, now)]
    if not any(check.what == "Prefect" and check.verdict is Verdict.STOP for check in checks):
        checks += await _variables(settings)
    return Diagnosis((*checks, *await check_gemini(settings, now)))


async def _variables(settings: Settings) -> list[Check]:
    async with open_ledger(settings) as ledger:
        return await check_variables(settings, make_storage(settings), ledger)

"""What can be set when the emulator starts. What can be changed while it runs (rules, faults, clock) is in
`emulator.rules`, `emulator.faults` and `emulator.clock`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

EngineName = Literal["ocr", "script"]
ClockName = Literal["real", "manual"]

HOURS_48_SECONDS = 48 * 3600.0


@dataclass(frozen=True, slots=True)
class EmulatorOptions:
    """``port`` 0: a free one. ``job_seconds``: how long a job stays PENDING, then RUNNING, on the emulator's clock.

    ``spool``: the folder for uploaded bytes and result files; None: a temporary one that is removed at the end.
    ``wrong_api_keys``: keys that are refused as the real service refuses an invalid one.
    ``other_project_keys``: keys of another project: its lists are empty, and everything else is forbidden to them.
    ``check_images``: whether bytes that are no picture give their line an error, as the real service does.
    The limits are those of the File and Batch APIs as published.
    """

    host: str = "127.0.0.1"
    port: int = 0
    engine: EngineName = "script"
    rules_file: Path | None = None
    clock: ClockName = "real"
    job_seconds: tuple[float, float] = (0.0, 0.0)
    spool: Path | None = None
    seed: int = 0
    wrong_api_keys: tuple[str, ...] = ("wrong-key",)
    other_project_keys: tuple[str, ...] = ("other-project-key",)
    check_images: bool = True
    engine_threads: int = 2
    max_concurrent_jobs: int = 100
    job_expiry_seconds: float = HOURS_48_SECONDS
    file_expiry_seconds: float = HOURS_48_SECONDS
    max_file_bytes: int = 2 * 1024**3
    max_storage_bytes: int = 20 * 1024**3

"""docs/emulator.md names everything that can be set, and its examples are taken."""

import dataclasses
import json
import re
from pathlib import Path
from typing import get_args

import yaml

from emulator.control import Control
from emulator.faults import CALLS, Fault, parse_fault
from emulator.options import EmulatorOptions
from emulator.rules import EmptyShape, JobRule, Step, StepKind, parse_rules
from emulator.state import EmulatorState
from tests.emulator_server import EmulatorHandle

TEXT = (Path(__file__).parents[3] / "docs/emulator.md").read_text(encoding="utf-8")


def wanted_names() -> set[str]:
    steps = {field.alias or name for name, field in Step.model_fields.items()}
    options = {field.name for field in dataclasses.fields(EmulatorOptions)}
    return {
        *get_args(StepKind),
        *get_args(EmptyShape),
        *steps,
        *JobRule.model_fields,
        *Fault.model_fields,
        *CALLS,
        *options,
    }


def test_every_name_is_described() -> None:
    described = set(re.findall(r"`([a-z0-9_]+)`", TEXT))
    assert wanted_names() - described == set()


def test_the_examples_are_taken() -> None:
    [rules] = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    assert len(parse_rules(yaml.safe_load(rules)).records) == 1
    [faults] = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    assert [parse_fault(json.loads(row)).call for row in faults.splitlines()] == [
        "create_batch",
        "upload_*",
        "download",
    ]


def test_every_control_call_is_described() -> None:
    state = EmulatorState(EmulatorOptions())
    try:
        paths = {str(getattr(route, "path", "")).partition("{")[0] for route in Control(state).routes()}
    finally:
        state.close()
    assert {path for path in paths if path not in TEXT} == set()


def test_every_field_of_the_books_is_described(gemini: EmulatorHandle) -> None:
    assert {name for name in gemini.books() if f"`{name}`" not in TEXT} == set()

"""docs/own-schema.md is a whole collection: its files, as they stand there, are run by its commands, outside the
repository. And what Gemini cannot be told about a model of one's own is one line of ``quire check``."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from assets.domain.errors import SchemaError
from flows.questions.check import check_text
from tests.command import run_quire
from tests.emulator_server import EmulatorHandle
from tests.prefect_server import PrefectServer

DOCS = Path(__file__).parents[2] / "docs/own-schema.md"
BLOCK = re.compile(r"^## `([^`\n]+)`\n+```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ quire (.*)$", re.MULTILINE)
LINES = re.compile(r"```json\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def land(tmp_path: Path) -> Path:
    """The folder as the page describes it, with two scans."""
    folder = tmp_path / "land"
    files = {**dict(BLOCK.findall(DOCS.read_text(encoding="utf-8"))), "my_schemas/__init__.py": ""}
    assert set(files) == {"quire.yaml", "my_schemas/__init__.py", "my_schemas/deeds.py", "prompts/deeds/v1.jinja"}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "scans/Kent/12").mkdir(parents=True)
    for page in ("0001", "0002"):
        Image.new("RGB", (60, 80), "white").save(folder / f"scans/Kent/12/{page}.jpg")
    return folder


async def test_the_example_runs_as_it_is_written(
    tmp_path: Path, land: Path, prefect_server: PrefectServer, gemini: EmulatorHandle, collection: str
) -> None:
    text = DOCS.read_text(encoding="utf-8")
    (shown,) = LINES.findall(text)
    steps = [{"kind": "answer", "json": json.loads(shown)}]
    gemini.set_rules(jobs=[{"job_seconds": [0, 0]}], records=[{"key": "*", "steps": steps}])
    environment = prefect_server.environment() | {
        "GEMINI_API_KEY": "test-key",
        "QUIRE__COLLECTION": collection,
        "QUIRE__GEMINI__BASE_URL": gemini.base_url,
        "QUIRE__BATCH__POLL_INTERVAL_SECONDS": "0.1",
    }
    commands = [line.split() for line in COMMAND.findall(text)]
    assert [command[0] for command in commands] == ["scan", "check", "run", "why"]

    scanned, checked, ran, why = [await run_quire(*command, env=environment, cwd=tmp_path) for command in commands]

    assert [each.code for each in (scanned, checked, ran, why)] == [0] * 4, [each.err for each in (checked, ran, why)]
    assert "This is page 1 of volume 12 of the deeds of Kent county.\nRead the deed on it." in checked.out
    assert "my_schemas.deeds:Deed" in checked.out
    schema = json.loads(checked.out.partition("--- responseSchema ---\n")[2])
    assert schema["propertyOrdering"] == ["number", "date", "people", "parcels", "is_continued"]
    person = schema["properties"]["people"]["items"]
    assert person["properties"]["role"]["enum"] == ["grantor", "grantee", "witness"]
    assert person["required"] == ["name", "role"]
    assert person["properties"]["residence"]["nullable"] is True
    assert ran.out.splitlines()[-1] == "2 of 2 records are done, nothing is left"
    for page in (1, 2):
        result = json.loads((land / f"deeds/Kent/12/{page}.json").read_text(encoding="utf-8"))
        assert result == json.loads(shown), "the result that the page shows fits the model that it shows"
    assert why.out.splitlines()[1].startswith("done: result made on ")
    assert "prompt deeds v1 (" in why.out


UNSAYABLE = {
    "itself": ("class M(BaseModel):\n    parts: list['M']", "M contains itself; bound the depth"),
    "free_map": ("class M(BaseModel):\n    x: dict[str, int]", "field x: .*a map with free keys; use a list of models"),
    "mixed_tuple": ("class M(BaseModel):\n    x: tuple[int, str]", "field x: .*a tuple of fixed places; use a model"),
    "number_enum": ("class E(IntEnum):\n    A = 1\nclass M(BaseModel):\n    x: E", "field x: .*more than strings"),
    "number_literal": ("class M(BaseModel):\n    x: Literal[1, 2]", "field x: .*more than strings"),
    "empty_word": ("class M(BaseModel):\n    x: Literal['', 'a']", "field x: .*the empty text; give it a word"),
    "anything": ("class M(BaseModel):\n    x: Any", "field x: .*any value at all would do; give the field a type"),
    "bare_list": ("class M(BaseModel):\n    x: list", r"field x\[\]: .*say what the list holds"),
    "no_fields": ("class E(BaseModel):\n    pass\nclass M(BaseModel):\n    x: E", "field x: .*a model without fields"),
    "all_of": (
        "class M(BaseModel):\n    x: str = Field(json_schema_extra={'allOf': [{'type': 'string'}, {'minLength': 1}]})",
        "field x: .*'allOf' is not in the subset; write the fields into one model",
    ),
    "keyword": (
        "class M(BaseModel):\n    x: str = Field(json_schema_extra={'if': {}})",
        "field x: .*the keyword 'if' is not in the subset; take it out",
    ),
    "no_json": ("class M(BaseModel):\n    x: Callable[[], int]", "pydantic cannot describe this model"),
}
IMPORTS = """from collections.abc import Callable
from enum import IntEnum
from typing import Any, Literal

from pydantic import BaseModel, Field

"""


async def test_what_gemini_cannot_be_told_is_one_line(tmp_path: Path, prefect_server: PrefectServer) -> None:
    (tmp_path / "unsayable").mkdir()
    config = tmp_path / "quire.yaml"
    for name, (source, said) in UNSAYABLE.items():
        (tmp_path / "unsayable" / f"{name}.py").write_text(IMPORTS + source + "\n", encoding="utf-8")
        config.write_text(f"paths: {{schemas: .}}\nschema: unsayable.{name}:M\n", encoding="utf-8")
        with pytest.raises(SchemaError) as refused:
            await check_text(str(config), None)
        assert re.fullmatch(rf"unsayable\.{name}\.M: .*{said}.*", str(refused.value)), refused.value

    ended = await run_quire("check", "--config", str(config), env=prefect_server.environment(), cwd=tmp_path)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == f"quire: {refused.value}\n"

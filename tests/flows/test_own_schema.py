"""What Gemini cannot be told about a model of one's own is one line of ``quire check``. docs/own-schema.md itself is
run by tests/flows/terminal/test_first_hour.py."""

import re
from pathlib import Path

import pytest

from assets.domain.errors import SchemaError
from flows.questions.check import check_text
from tests.command import run_quire
from tests.prefect_server import PrefectServer

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

"""What Gemini cannot be told about a model of one's own is one line of ``quire check``. docs/own-schema.md itself is
run by tests/flows/terminal/test_first_hour.py."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from assets.domain.errors import SchemaError
from config.schema_loader import load_schema
from config.settings import load_settings
from flows.questions.check import check_json, check_text
from tests.command import run_quire
from tests.prefect_server import PrefectServer
from tests.project import Project

UNSAYABLE = {
    "itself": ("class M(BaseModel):\n    parts: list['M']", "M contains itself, and must somewhere end; give the"),
    "any_map": ("class M(BaseModel):\n    x: dict[str, Any]", r"field x\[\].value: .*any value at all would do"),
    "mixed_tuple": ("class M(BaseModel):\n    x: tuple[int, str]", "field x: .*a tuple of mixed types; use a model"),
    "map_or_list": ("class M(BaseModel):\n    x: dict[str, int] | list[int]", "field x: .*a map .* or else a list"),
    "number_or_text": ("class M(BaseModel):\n    x: Literal[1] | str", "field x: .*an enum of numbers or else a text"),
    "deep": ("class M(BaseModel):\n    x: list[list[list[list[list[list[int]]]]]]", "more than 6 objects and lists"),
    "long": (
        f"class M(BaseModel):\n    x: int = Field(description='{'a ' * 20000}')",
        "field x: .*the schema has 40,.* bytes, .*, and at most 32,000 are taken; .* limits.schema_bytes",
    ),
    "text_root": ("class M(RootModel[str]):\n    pass", "a result is an object or a list; make it a field"),
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

from pydantic import BaseModel, Field, RootModel

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


LIST = """from enum import IntEnum
from typing import Literal

from pydantic import BaseModel, RootModel

class Person(BaseModel):
    name: str
    born: Literal[1850, 1851] | None
    posts: dict[str, int]

class People(RootModel[list[Person]]):
    pass
"""
ANSWER = [{"name": "Webb", "born": "1851", "posts": [{"key": "clerk", "value": 3}]}]
RESULT = [{"name": "Webb", "born": 1851, "posts": {"clerk": 3}}]
PROMPT = "Read {{ record.key }}.{% for each in previous or [] %} Before: {{ each.name }}.{% endfor %}"


@pytest.mark.detached
@pytest.mark.parametrize("mode", ["previous_result", "previous_image", "none"])
async def test_a_list_is_a_result_in_every_context_mode(project: Project, mode: str) -> None:
    (project.root / f"lists_{mode}.py").write_text(LIST, encoding="utf-8")
    prompt = project.root / "prompts/people/v1.jinja"
    prompt.parent.mkdir(parents=True)
    prompt.write_text(PROMPT, encoding="utf-8")
    project.configure(
        paths={"schemas": str(project.root), "prompts": str(project.root / "prompts")},
        schema=f"lists_{mode}:People",
        prompt={"name": "people", "version": "v1"},
        context={"mode": mode},
    )
    keys = project.add_pages("CA:Lincoln:1901", [1, 2])
    for key in keys:
        project.gemini.set_steps(key, {"kind": "answer", "json": ANSWER})

    reports = await project.run_until_idle()

    assert [json.loads(project.result_path(key).read_bytes()) for key in keys] == [RESULT, RESULT]
    assert reports[-1].for_a_person == []
    line = json.loads(await check_json(str(project.config), keys[1]))
    assert ("Before: Webb." in line["request"]["contents"][0]["parts"][0]["text"]) == (mode == "previous_result")


@pytest.mark.detached
async def test_what_is_left_to_pydantic_and_what_the_schema_costs_is_told(project: Project) -> None:
    (project.root / "told.py").write_text(
        "from datetime import date\nfrom pydantic import BaseModel, Field, field_validator\n"
        "class M(BaseModel):\n    day: date\n    tags: list[str] = Field(max_length=2000)\n"
        "    @field_validator('day')\n    @classmethod\n    def is_past(cls, value):\n        return value\n",
        encoding="utf-8",
    )
    project.configure(paths={"schemas": str(project.root)}, schema="told:M", execution={"dry_run": True})
    project.add_pages("CA:Lincoln:1901", [1])
    await project.run_pass()
    text = await check_text(str(project.config), None)
    _, _, left = text.partition("--- left to pydantic alone: Gemini is told in words, or not at all ---\n")
    assert left.splitlines()[:3] == ["day: format: date", "tags: at most 2000 items", "M.day: the validator is_past"]
    [size] = [line for line in text.splitlines() if line.startswith("size")]
    assert re.fullmatch(
        r"size +the schema has \d+ tokens on each page, \$0\.\d+ for 1,000 pages; 2 of 6 levels, 0 of 99 enum values, "
        r"\d+ of 32,000 bytes",
        size,
    )


@pytest.mark.detached
async def test_a_model_that_takes_no_bounds_of_lists_gets_none(project: Project) -> None:
    """With the bounds every line would be answered with an error 400."""
    (project.root / "bounded.py").write_text(
        "from pydantic import BaseModel, Field\nclass M(BaseModel):\n    tags: list[str] = Field(max_length=20)\n",
        encoding="utf-8",
    )
    project.configure(
        paths={"schemas": str(project.root)},
        schema="bounded:M",
        model={"name": "gemini-3.8-flash"},
        context={"mode": "none"},
    )
    [key] = project.add_pages("CA:Lincoln:1901", [1])
    await project.run_until_idle()
    result: Any = project.result(key)
    assert list(result) == ["tags"]


@pytest.mark.detached
async def test_what_is_in_flight_is_judged_by_the_model_also_where_it_is_asked_for_otherwise_by_now(
    project: Project,
) -> None:
    """As after an upgrade that asks for the same model in another way."""
    (project.root / "upper.py").write_text(
        "from pydantic import BaseModel, Field, field_validator\n"
        "class M(BaseModel):\n    names: list[str] = Field(max_length=20)\n"
        "    @field_validator('names')\n    @classmethod\n    def upper(cls, value):\n"
        "        return [each.upper() for each in value]\n",
        encoding="utf-8",
    )
    project.configure(paths={"schemas": str(project.root)}, schema="upper:M")
    [key] = project.add_pages("CA:Lincoln:1901", [1])
    project.gemini.set_steps(key, {"kind": "answer", "json": {"names": ["webb"]}})
    await project.run_pass()
    project.configure(limits={"schema_max_items": 0})
    await project.run_until_idle()
    assert project.result(key) == {"names": ["WEBB"]}


EVERYTHING = """from datetime import date, datetime, time
from decimal import Decimal
from enum import IntEnum
from typing import Annotated, Literal

from pydantic import BaseModel, Field

class Grade(IntEnum):
    FIRST = 1
    SECOND = 2

class Cat(BaseModel):
    kind: Literal["cat"]
    lives: Literal[7, 9]

class Dog(BaseModel):
    kind: Literal["dog"]
    names: dict[str, str]

class Section(BaseModel):
    title: str
    sections: list["Section"] = []

class M(BaseModel):
    note: str
    price: Annotated[Decimal, Field(ge=0)]
    day: date
    at: datetime | None
    hour: time
    grade: Grade
    counts: dict[str, int]
    by_year: dict[int, list[Grade]]
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None
    size: int | list[int] | None
    box: tuple[int, int, int, int]
    outline: Section
"""


@pytest.mark.detached
async def test_a_schema_of_every_type_is_asked_for_answered_and_written(project: Project) -> None:
    """What the local Gemini makes up by the schema that it gets alone becomes results of the model."""
    (project.root / "everything.py").write_text(EVERYTHING, encoding="utf-8")
    project.configure(
        paths={"schemas": str(project.root)},
        schema="everything:M",
        context={"mode": "none"},
        execution={"max_retries": 0},
    )
    keys = project.add_pages("CA:Lincoln:1901", range(1, 9))
    reports = await project.run_until_idle()
    assert reports[-1].submit.states["done"] == len(keys), project.outcomes()
    model = load_schema(load_settings(project.config))
    for key in keys:
        content = project.result_path(key).read_bytes()
        model.model_validate_json(content)
        result = json.loads(content)
        assert type(result["grade"]) is int
        assert type(result["counts"]) is dict
        assert type(result["price"]) is str

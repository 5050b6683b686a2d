"""The schema and the prompt that settings name: found, or refused in one line that helps."""

import json
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from pydantic import BaseModel

from assets.domain.errors import ConfigError
from assets.domain.schema import response_schema
from config.schema_loader import load_prompt, load_schema
from config.settings import Settings, check_folders, load_settings

NUMBERS = count()
Load = Callable[[str], Settings]


@pytest.fixture(autouse=True)
def _import_path_as_before() -> Iterator[None]:
    before = list(sys.path)
    yield
    sys.path[:] = before


def test_the_shipped_schema_has_no_max_items() -> None:
    """The default model was reported to answer 400 to it."""
    said = json.dumps(response_schema(load_schema(Settings())))
    assert "items" in said
    assert "maxItems" not in said


@pytest.fixture
def module() -> str:
    """A module name that no other test has imported: Python keeps what it has once loaded."""
    return f"quire_test_schema_{next(NUMBERS)}"


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def from_text(text: str) -> Settings:
        (tmp_path / "quire.yaml").write_text(text, encoding="utf-8")
        return load_settings(tmp_path / "quire.yaml", environ={})

    return from_text


class TestSchema:
    def test_the_shipped_one_is_found(self) -> None:
        assert load_schema(load_settings(environ={})).__name__ == "PageTranscript"

    def test_an_own_one_is_imported_from_its_folder_with_its_neighbours(
        self, tmp_path: Path, load: Load, module: str
    ) -> None:
        folder = tmp_path / "schemas"
        folder.mkdir()
        (folder / f"{module}_parts.py").write_text("from enum import StrEnum\nclass Kind(StrEnum):\n    A = 'a'\n")
        (folder / f"{module}.py").write_text(
            f"from pydantic import BaseModel\nfrom {module}_parts import Kind\nclass Card(BaseModel):\n    kind: Kind\n"
        )
        model = load_schema(load(f"paths: {{schemas: schemas}}\nschema: {module}:Card"))
        assert issubclass(model, BaseModel)
        assert model.model_validate({"kind": "a"}).model_dump() == {"kind": "a"}

    @pytest.mark.parametrize(
        ("source", "said"),
        [
            (None, "there is no module {module} in {folder}; put its folder into paths.schemas"),
            ("from pydantic import BaseModel\nclass Other(BaseModel): ...\n", "has no Card; its models are Other"),
            ("", "has no Card; it has no pydantic model"),
            ("class Card: ...\n", "Card in {folder}/{module}.py is no pydantic model; derive it from BaseModel"),
            ("\nx = 1 / 0\n", "cannot be imported: ZeroDivisionError: division by zero ({folder}/{module}.py, line 2)"),
            ("def f(:\n", "cannot be imported: SyntaxError: invalid syntax ({folder}/{module}.py, line 1)"),
            (
                "import quire_no_such\n",
                "No module named 'quire_no_such' ({folder}/{module}.py, line 1)",
            ),
        ],
    )
    def test_what_is_wrong_is_one_line(
        self, tmp_path: Path, load: Load, module: str, source: str | None, said: str
    ) -> None:
        if source is not None:
            (tmp_path / f"{module}.py").write_text(source)
        with pytest.raises(ConfigError) as caught:
            load_schema(load(f"paths: {{schemas: .}}\nschema: {module}:Card"))
        assert str(caught.value).startswith(f"{tmp_path}/quire.yaml: schema: ")
        assert said.format(module=module, folder=tmp_path) in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_an_own_module_with_the_name_of_another_is_refused(self, tmp_path: Path, load: Load) -> None:
        (tmp_path / "json.py").write_text("")
        with pytest.raises(ConfigError, match=r"the name json is taken by .*; rename your own json in"):
            load_schema(load("paths: {schemas: .}\nschema: json:Card"))

    def test_a_missing_folder_is_named(self, load: Load) -> None:
        with pytest.raises(ConfigError, match=r"paths\.schemas: .*nowhere is no folder"):
            load_schema(load("paths: {schemas: nowhere}"))


class TestPrompt:
    def test_the_shipped_one_is_found(self) -> None:
        text, path = load_prompt(load_settings(environ={}))
        assert path.parts[-2:] == ("page_transcript", "v1.jinja")
        assert text == path.read_text(encoding="utf-8")

    def test_a_missing_version_names_those_that_exist(self, tmp_path: Path, load: Load) -> None:
        (tmp_path / "prompts/cards").mkdir(parents=True)
        for version in ("v1", "v2"):
            (tmp_path / f"prompts/cards/{version}.jinja").write_text("Read the card.")
        with pytest.raises(ConfigError, match=r"prompt\.version: .*v3\.jinja; the versions there are v1, v2"):
            load_prompt(load("paths: {prompts: prompts}\nprompt: {name: cards, version: v3}"))
        with pytest.raises(ConfigError, match=r"prompt\.name: .*/letters; the prompts there are cards"):
            load_prompt(load("paths: {prompts: prompts}\nprompt: {name: letters}"))

    def test_an_empty_one_is_refused(self, tmp_path: Path, load: Load) -> None:
        (tmp_path / "prompts/cards").mkdir(parents=True)
        (tmp_path / "prompts/cards/v1.jinja").write_text(" \n")
        with pytest.raises(ConfigError, match="is empty"):
            load_prompt(load("paths: {prompts: prompts}\nprompt: {name: cards}"))


def test_ten_lines_are_enough_for_a_collection_outside_the_repository(tmp_path: Path, load: Load, module: str) -> None:
    (tmp_path / "scans/North/7/12").mkdir(parents=True)
    (tmp_path / "scans/North/7/12/1.jpg").write_bytes(b"")
    (tmp_path / "prompts/cards").mkdir(parents=True)
    (tmp_path / "prompts/cards/v1.jinja").write_text("Read the card {{ record.page }}.")
    (tmp_path / f"{module}.py").write_text("from pydantic import BaseModel\nclass Card(BaseModel):\n    name: str\n")
    text = f"""\
record: {{document_fields: [archive, box, folder]}}
paths:
  page_images: scans
  output_results: read
  prompts: prompts
  schemas: .
filters: {{box: {{start: 1, end: 9}}}}
prompt: {{name: cards, version: v1}}
schema: {module}:Card
context: {{mode: none}}
"""
    assert text.count("\n") == 10
    settings = load(text)
    check_folders(settings)
    assert load_schema(settings).__name__ == "Card"
    assert load_prompt(settings)[0] == "Read the card {{ record.page }}."
    assert settings.paths.output_results == tmp_path / "read"

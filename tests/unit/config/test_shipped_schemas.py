"""The schemas that come with Quire, and their options: without any the schema is that of the collections that run."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from assets.domain.errors import ConfigError
from assets.domain.schema import response_schema, schema_hash, translated
from assets.validation import ModelValidator
from config.schema_loader import load_prompt, load_schema
from config.schemas.page_entries import PageEntries
from config.schemas.page_transcript import PageTranscript
from config.settings import Settings, load_settings
from emulator.schemas import check_schema

TRANSCRIPT = "config.schemas.page_transcript:PageTranscript"
ENTRIES = "config.schemas.page_entries:PageEntries"


def settings_of(folder: Path, schema: str, options: Mapping[str, Any], **more: Any) -> Settings:
    file = folder / "quire.yaml"
    file.write_text(json.dumps({"schema": schema, "schema_options": options, **more}), encoding="utf-8")
    return load_settings(file, environ={})


def loaded(folder: Path, schema: str, options: Mapping[str, Any]) -> type[BaseModel]:
    return load_schema(settings_of(folder, schema, options))


def test_without_options_nothing_changes(tmp_path: Path) -> None:
    plain = schema_hash(response_schema(PageTranscript))
    assert loaded(tmp_path, TRANSCRIPT, {}) is PageTranscript
    off = loaded(tmp_path, TRANSCRIPT, {"boxes": False, "rotation": False})
    assert schema_hash(response_schema(off)) == plain
    assert off.model_json_schema() == PageTranscript.model_json_schema()


@pytest.mark.parametrize(
    ("schema", "options"),
    [
        (TRANSCRIPT, {"boxes": True}),
        (TRANSCRIPT, {"rotation": True}),
        (TRANSCRIPT, {"boxes": True, "rotation": True}),
        (ENTRIES, {}),
        (ENTRIES, {"rotation": True}),
    ],
)
def test_each_is_taken_by_every_model_and_is_the_same_each_time(
    tmp_path: Path, schema: str, options: dict[str, Any]
) -> None:
    model = loaded(tmp_path, schema, options)
    sent = response_schema(model)
    check_schema(sent, "gemini-3.5-flash")
    check_schema(translated(model, takes_max_items=False).schema, "gemini-3.8-flash")
    assert sent == response_schema(loaded(tmp_path, schema, options))
    assert sent.get("description") == model.__doc__
    assert ("rotation_degrees" in sent["properties"]) == bool(options.get("rotation"))


def test_an_answer_with_boxes_and_a_rotation_and_one_of_before(tmp_path: Path) -> None:
    model = loaded(tmp_path, TRANSCRIPT, {"boxes": True, "rotation": True})
    answer: dict[str, Any] = {
        "printed_page_number": None,
        "language": "en",
        "continues_previous_page": False,
        "continues_on_next_page": False,
        "headings": [],
        "blocks": [{"kind": "paragraph", "text": "A deed.", "box_2d": [100, 50, 180, 950]}],
        "rotation_degrees": "180",
    }
    result = json.loads(ModelValidator(model).to_result(json.dumps(answer)))
    assert (result["rotation_degrees"], result["blocks"][0]["box_2d"]) == (180, [100, 50, 180, 950])
    before = {name: value for name, value in answer.items() if name != "rotation_degrees"}
    before["blocks"] = [{"kind": "paragraph", "text": "A deed."}]
    assert json.loads(ModelValidator(model).to_result(json.dumps(before)))["rotation_degrees"] is None


@pytest.mark.parametrize(
    ("schema", "options", "said"),
    [
        (TRANSCRIPT, {"boxez": True}, "schema_options.boxez: is no option of PageTranscript; it has boxes, rotation"),
        (TRANSCRIPT, {"boxes": "yes"}, "schema_options.boxes: Input should be a valid boolean; it has boxes, rotation"),
        (
            "config.schemas.page_transcript:Heading",
            {"boxes": True},
            "schema_options: Heading has no options; take them",
        ),
    ],
)
def test_what_is_no_option_is_named(tmp_path: Path, schema: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, schema, options)
    assert said in str(refused.value)


def test_a_schema_of_ones_own_has_options_in_the_same_way(tmp_path: Path) -> None:
    (tmp_path / "with_options.py").write_text(
        "from pydantic import BaseModel, create_model\n"
        "class M(BaseModel):\n"
        "    a: str\n"
        "    class Options(BaseModel):\n"
        "        more: int = 0\n"
        "    @classmethod\n"
        "    def with_options(cls, options):\n"
        "        if options.more > 9:\n"
        "            raise ValueError('too many')\n"
        "        return create_model('M', __base__=cls, b=(int, options.more))\n",
        encoding="utf-8",
    )
    paths = {"schemas": str(tmp_path)}
    settings = settings_of(tmp_path, "with_options:M", {"more": 3}, paths=paths)
    assert list(load_schema(settings).model_fields) == ["a", "b"]
    assert settings.schema_text == "with_options:M with more: 3"
    with pytest.raises(ConfigError, match=r"schema_options: M\.with_options failed: ValueError: too many"):
        load_schema(settings_of(tmp_path, "with_options:M", {"more": 10}, paths=paths))


def test_the_entries_have_a_prompt(tmp_path: Path) -> None:
    text, _ = load_prompt(settings_of(tmp_path, ENTRIES, {}, prompt={"name": "page_entries", "version": "v1"}))
    assert "One entry for each item of the list" in text
    assert PageEntries.model_fields.keys() == {"printed_page_number", "entries"}


def test_options_can_come_from_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "quire.yaml"
    file.write_text("collection: land", encoding="utf-8")
    settings = load_settings(file, environ={"QUIRE__SCHEMA_OPTIONS__BOXES": "true"})
    assert "box_2d" in str(response_schema(load_schema(settings)))

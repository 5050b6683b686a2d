"""The prompts that were sent are kept under their hash, each text once."""

import hashlib
from pathlib import Path

import pytest

from config.schema_loader import list_prompts
from config.settings import Settings
from flows.gateways.files.storage import Storage

TEXT = "Read {{ record.key }}.\r\nÑ\n"
HASH = hashlib.sha256(TEXT.encode()).hexdigest()


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(
        root=tmp_path, manifests=tmp_path / "manifests", output_results=tmp_path / "results", document_fields=("box",)
    )


def test_a_text_is_kept_byte_for_byte_and_written_once(storage: Storage) -> None:
    storage.keep_prompt("page", "v1", HASH, TEXT)
    path = storage.prompt_path("page", "v1", HASH)
    inode = path.stat().st_ino
    storage.keep_prompt("page", "v1", HASH, TEXT)

    assert hashlib.sha256(path.read_bytes()).hexdigest() == HASH
    assert path.stat().st_ino == inode
    assert [each.name for each in path.parent.iterdir()] == [f"v1-{HASH[:12]}.jinja"]


def test_a_text_that_was_damaged_is_written_again(storage: Storage) -> None:
    storage.keep_prompt("page", "v1", HASH, TEXT)
    storage.prompt_path("page", "v1", HASH).write_text("something else", encoding="utf-8")

    storage.keep_prompt("page", "v1", HASH, TEXT)

    assert storage.prompt_path("page", "v1", HASH).read_bytes() == TEXT.encode()


def test_what_was_kept_is_listed_and_nothing_else(storage: Storage) -> None:
    assert storage.kept_prompts() == []
    for name, version in (("page", "v1-b.2"), ("page", "v1"), ("deeds", "v1")):
        storage.keep_prompt(name, version, HASH, TEXT)
    folder = storage.manifests / "prompts"
    for name in ("page/v2.jinja", "page/.tmp-00ff", "page/v1-zzzzzzzzzzzz.jinja", "v1-000000000000.jinja"):
        (folder / name).touch()

    kept = [(each.name, each.version, each.short_hash) for each in storage.kept_prompts()]

    assert kept == [("deeds", "v1", HASH[:12]), ("page", "v1", HASH[:12]), ("page", "v1-b.2", HASH[:12])]


def test_only_what_a_setting_may_name_can_be_chosen(tmp_path: Path) -> None:
    for name in ("b/v2.jinja", "b/v1.jinja", "a/1.jinja", ".hidden/v1.jinja", "a b/v1.jinja", "b/-x.jinja", "b/v3.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    settings = Settings.model_validate({"paths": {"prompts": str(tmp_path)}})

    assert [(name, version) for name, version, _ in list_prompts(settings)] == [("a", "1"), ("b", "v1"), ("b", "v2")]

"""Files and folders of the settings on a disk that fails."""

import errno
from pathlib import Path

import pytest

from assets.domain.errors import ConfigError
from config.schema_loader import load_prompt
from config.settings import load_settings, make_folders
from tests.errno_matrix.faults import Fault, faults_in


@pytest.mark.parametrize(
    ("kind", "path", "number", "words"),
    [
        ("stat", "quire.yaml", errno.ESTALE, "Stale file handle; the share has lost it: mount it again"),
        ("open", "quire.yaml", errno.EACCES, "Permission denied; let the user that runs Quire read and write there"),
        ("read", "quire.yaml", errno.EIO, "Input/output error; the disk or the share has a fault: check it"),
        ("open", ".env", errno.EACCES, "Permission denied; let the user that runs Quire read and write there"),
        ("read", ".env", errno.EIO, "Input/output error; the disk or the share has a fault: check it"),
        ("open", "prompts/cards/v1.jinja", errno.ESTALE, "Stale file handle; the share has lost it: mount it again"),
        (
            "read",
            "prompts/cards/v1.jinja",
            errno.EIO,
            "Input/output error; the disk or the share has a fault: check it",
        ),
        ("mkdir", "manifests", errno.EROFS, "Read-only file system; mount it so that it can be written"),
        ("mkdir", "manifests", errno.ENOSPC, "No space left on device; make room on that disk"),
    ],
)
def test_a_file_of_the_settings_that_the_disk_does_not_give_is_told_with_what_to_do(
    tmp_path: Path, kind: str, path: str, number: int, words: str
) -> None:
    (tmp_path / "dataset/page_images").mkdir(parents=True)
    (tmp_path / "prompts/cards").mkdir(parents=True)
    (tmp_path / "prompts/cards/v1.jinja").write_text("Read the page.")
    (tmp_path / ".env").write_text("GEMINI_API_KEY=key")
    (tmp_path / "quire.yaml").write_text("{paths: {prompts: prompts}, prompt: {name: cards, version: v1}}")

    with (
        faults_in(tmp_path, Fault(kind, number, f"{kind} /{path}")) as calls,
        pytest.raises(ConfigError) as refused,
    ):
        _all_that_is_set(tmp_path)
    assert calls.struck == [str(tmp_path / path)]
    assert str(tmp_path / path) in str(refused.value)
    assert str(refused.value).endswith(f"{words}, then run again")


def _all_that_is_set(folder: Path) -> None:
    settings = load_settings(folder / "quire.yaml", environ={})
    load_prompt(settings)
    make_folders(settings)

"""Looks at the results of many records, as a claim makes them."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assets.domain.errors import ManifestError
from flows.gateways.files.storage import Storage

KEY = "CA:Lincoln:2023:4"
OTHER = "01jd0000000000000000000001"


def test_a_look_at_500_records_asks_the_file_system_once_for_each(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [f"CA:Lincoln:2023:{page}" for page in range(1, 501)]
    storage.write_result(keys[3], b"{}")
    storage.result_path(keys[4]).write_bytes(b"")
    asked: list[str] = []
    for name in ("stat", "lstat", "readlink"):
        monkeypatch.setattr(os, name, _counted(getattr(os, name), asked))

    assert storage.done_among(keys) == {keys[3]}

    assert 500 <= len(asked) < 550


def test_a_look_at_many_records_finds_what_a_look_at_one_does(storage: Storage, tmp_path: Path) -> None:
    storage.write_result(KEY, b"{}")
    others = ["CA:Lincoln:2023:5", "TX:Austin:2023:1"]
    assert storage.done_among([KEY, *others]) == {KEY}
    storage.result_path(others[0]).symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(ManifestError, match=r"5\.json: a symbolic link leads out of "):
        storage.done_among(others)
    (storage.output_results / "TX").symlink_to(tmp_path)
    with pytest.raises(ManifestError, match="2023: a symbolic link leads out of "):
        storage.done_among(others[1:])
    storage.result_path("CA:Lincoln:2023:6").mkdir()
    with pytest.raises(ManifestError, match=r"6\.json: is a folder where a result belongs"):
        storage.done_among(["CA:Lincoln:2023:6"])


def _counted(call: Callable[..., Any], asked: list[str]) -> Callable[..., Any]:
    def counted(path: Any, *arguments: Any, **options: Any) -> Any:
        asked.append(os.fspath(path))
        return call(path, *arguments, **options)

    return counted

"""What is not there is told from what cannot be looked at."""

from pathlib import Path

import pytest

from flows.gateways.files.presence import is_folder, is_there


def test_what_is_there_and_what_is_not(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert (is_there(tmp_path), is_folder(tmp_path)) == (True, True)
    assert (is_there(tmp_path / "file"), is_folder(tmp_path / "file")) == (True, False)
    assert (is_there(tmp_path / "none"), is_folder(tmp_path / "none")) == (False, False)
    assert not is_there(tmp_path / "file" / "below")


def test_what_cannot_be_looked_at_is_an_error(tmp_path: Path) -> None:
    # A loop of links: the one trouble that root meets, too.
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for look in (is_there, is_folder):
        with pytest.raises(OSError, match="symbolic links"):
            look(tmp_path / "loop")

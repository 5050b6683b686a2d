"""Files that are whole or absent, and lines read from a file that somebody else wrote."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.gateways.files.atomic import create_file, read_lines, replace_file
from tests.unit.gateways.files.test_creation import who_succeed


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    for content in (b"one", b"two"):
        replace_file(path, lambda temporary, content=content: temporary.write_bytes(content))  # type: ignore[misc]  # binds the loop's value
        assert path.read_bytes() == content
    assert names(path.parent) == ["file"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def write(temporary: Path) -> None:
        temporary.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    for attempt in (replace_file, create_file):
        with pytest.raises(OSError, match="No space left"):
            attempt(path, write)
        assert path.read_bytes() == b"old"
        assert names(tmp_path) == ["file"]
    with pytest.raises(OSError, match="No space left"):
        create_file(tmp_path / "other", write)
    assert names(tmp_path) == ["file"]


def test_the_old_file_can_be_read_while_the_new_one_is_written(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def write(temporary: Path) -> None:
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
        assert temporary.parent == path.parent, "else the last step would not be one step"

    replace_file(path, write)
    assert path.read_bytes() == b"new"


def test_a_file_is_created_once(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert create_file(path, lambda temporary: _write(temporary, b"first"))
    assert not create_file(path, lambda temporary: _write(temporary, b"second"))
    assert path.read_bytes() == b"first"
    assert names(tmp_path) == ["file"]


def test_of_many_who_create_at_once_one_succeeds(tmp_path: Path) -> None:
    path = tmp_path / "file"
    [winner] = who_succeed(lambda number: create_file(path, lambda temporary: _write(temporary, bytes([number]))))
    assert path.read_bytes() == bytes([winner])
    assert names(tmp_path) == ["file"]


def test_lines_end_at_a_newline_byte_and_at_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes("one\n\n  \ntwo\u2028still two\x85\x0c\r\n\nthree\rstill three\nlast".encode())
    found = list(read_lines(path, max_line_bytes=100))
    assert [line.decode() for _, line in found] == [
        "one",
        "two\u2028still two\x85\x0c",
        "three\rstill three",
        "last",
    ]
    content = path.read_bytes()
    assert all(content[offset : offset + len(line)] == line for offset, line in found)


def test_a_line_that_is_too_long_comes_cut_off_and_the_next_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"x" * 35 + b"\nnext\n" + b"y" * 10 + b"\n" + b" " * 25 + b"{}\n" + b"z" * 31)
    assert list(read_lines(path, max_line_bytes=10)) == [
        (0, b"x" * 10),
        (36, b"next"),
        (41, b"y" * 10),
        (52, b" " * 10),
        (80, b"z" * 10),
    ]


def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"")
    assert list(read_lines(path, max_line_bytes=10)) == []


@given(content=st.binary(max_size=200), limit=st.integers(1, 30))
def test_lines_of_any_bytes_are_found_where_they_stand(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, limit: int
) -> None:
    path = tmp_path_factory.mktemp("lines", numbered=True) / "f"
    path.write_bytes(content)
    found = list(read_lines(path, max_line_bytes=limit))
    lines = content.split(b"\n")
    expected = [line.rstrip(b"\r") if len(line) < limit else line[:limit] for line in lines]
    assert [line for _, line in found] == [line for line in expected if line.strip() or len(line) == limit]
    assert all(content[offset : offset + len(line)] == line for offset, line in found)


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)

"""A result file that is kept comes back as it was, or is known not to be all there."""

import os
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from assets.domain.batch import JobState, RemoteJob
from assets.domain.errors import ManifestError
from flows.gateways.files.raw_results import RawResults

NAME = "01k9v3x5c7e9g1j3m5p7r9t1v3"
JOB = RemoteJob("batches/b", NAME, JobState.SUCCEEDED, "SUCCEEDED", "gemini-3.5-flash", "files/batch-b")
CONTENT = b'{"key": "a"}\r\n\n' + b'{"key": "b", "x": "\xe2\x80\xa8"}\n' * 5_000 + b"no end"


@pytest.fixture
def raw(tmp_path: Path) -> RawResults:
    kept = RawResults(tmp_path / "manifests")
    source = tmp_path / "download"
    source.write_bytes(CONTENT)
    kept.keep(NAME, source, JOB)
    return kept


def test_what_is_kept_is_small_and_comes_back_as_it_was(raw: RawResults) -> None:
    assert raw.path(NAME).stat().st_size < len(CONTENT) / 10
    assert raw.is_whole(NAME, "batches/b")
    assert not raw.is_whole(NAME, "batches/other"), "another job's answers"
    assert raw.job(NAME) == JOB
    lines = list(raw.lines(NAME))
    assert (lines[0], lines[-1], len(lines)) == ((0, b'{"key": "a"}'), (len(CONTENT) - 6, b"no end"), 5_002)
    assert all(CONTENT[at:].startswith(line) for at, line in lines)
    assert raw.names() == [NAME]
    assert [path.name for path in raw.folder.iterdir()] == [f"{NAME}.jsonl.zst"]


def test_what_is_not_there_is_no_file(tmp_path: Path) -> None:
    nothing = RawResults(tmp_path)
    assert (nothing.names(), nothing.job(NAME), nothing.is_whole(NAME, "batches/b")) == ([], None, False)
    nothing.remove_raw(NAME)


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.999])
def test_a_file_that_is_cut_is_not_whole(raw: RawResults, share: float) -> None:
    os.truncate(raw.path(NAME), int(raw.path(NAME).stat().st_size * share))
    assert not raw.is_whole(NAME, "batches/b")
    with pytest.raises(ManifestError, match=r"is damaged .*delete it, and it is downloaded again"):
        list(raw.lines(NAME))


def test_one_bit_is_enough(raw: RawResults) -> None:
    content = raw.path(NAME).read_bytes()
    for at in range(0, len(content), 7):
        raw.path(NAME).write_bytes(content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :])
        if raw.is_whole(NAME, "batches/b"):
            assert b"".join(line for _, line in raw.lines(NAME)) == CONTENT.replace(b"\r", b"").replace(b"\n", b"")


def test_a_newer_format_is_refused_in_a_line(raw: RawResults) -> None:
    with raw.path(NAME).open("wb") as file, pa.CompressedOutputStream(file, "zstd") as stream:
        stream.write(b'{"format": 2, "of": "tomorrow"}\n')
    for ask in (lambda: raw.job(NAME), lambda: raw.is_whole(NAME, "batches/b"), lambda: list(raw.lines(NAME))):
        with pytest.raises(ManifestError, match=r"jsonl\.zst: was written by a newer Quire .format 2, "):
            ask()


def test_only_files_that_are_ours_are_named(raw: RawResults) -> None:
    for name in ("notes.jsonl.zst", f"{NAME}.jsonl", f"{NAME}x.jsonl.zst", ".tmp-1"):
        (raw.folder / name).touch()
    raw.keep(f"{NAME}.late", raw.path(NAME), replace(JOB, name="batches/late"))
    assert raw.names() == [NAME, f"{NAME}.late"]


def test_a_disk_that_is_full_leaves_no_half_file(raw: RawResults, tmp_path: Path) -> None:
    other = NAME.replace("v3", "v4")
    with pytest.raises(FileNotFoundError) as missing:
        raw.keep(other, tmp_path / "gone", JOB)
    assert missing.value.filename == str(tmp_path / "gone")
    assert raw.names() == [NAME]

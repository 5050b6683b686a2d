"""Parts of a derived table: whatever a process is killed at, what is left is read as the same rows, or not at all."""

from pathlib import Path

import pyarrow as pa
import pytest

from assets.domain.errors import ManifestError
from assets.places import in_order, with_places
from flows.gateways.files import parts as module
from flows.gateways.files.parquet import Rows
from flows.gateways.files.parts import Part, Parts
from tests.twins.effects import Crash, Effects, Interruption, Point, file_effects

KEYS = [f"CA:Lincoln:{year}:{page}" for year in range(1901, 1905) for page in range(1, 5)]


def table(keys: list[str], value: int) -> pa.Table:
    return in_order(with_places(pa.table({"record_key": keys, "value": [value] * len(keys)})))


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    return Parts(tmp_path / "some")


def grown(parts: Parts, *names: str) -> list[Part]:
    standing = parts.all()
    for name in names:
        part = parts.write_part(table(KEYS[:2], len(standing)), [name], after=standing)
        assert part is not None
        standing.append(part)
    return standing


def merged(parts: Parts, standing: list[Part], count: int) -> Part | None:
    goes_by = [name for part in standing[-count:] for name in part.goes_by]
    return parts.write_part(table(KEYS[:2], 9), goes_by, after=standing, merged=count)


def names(parts: Parts) -> list[str]:
    return sorted(path.name for path in parts.folder.iterdir())


def test_what_is_new_is_a_part_of_its_own_and_a_merge_takes_the_place_of_the_newest(parts: Parts) -> None:
    standing = grown(parts, "a", "b", "c")
    assert names(parts) == [f"000000{n}-000000{n}.parquet" for n in (1, 2, 3)]

    merged(parts, standing, 2)

    assert names(parts) == ["0000001-0000001.parquet", "0000002-0000003.parquet"]
    assert [(part.goes_by, part.rows) for part in Parts(parts.folder).all()] == [(("a",), 2), (("b", "c"), 2)]
    assert [part.last for part in grown(parts, "d")] == [1, 3, 4]


def test_killed_at_any_effect_of_a_merge_what_stands_goes_by_the_same(tmp_path: Path) -> None:
    number = 0
    while True:
        number += 1
        parts = Parts(tmp_path / str(number))
        standing = grown(parts, "a", "b", "c")
        effects = Effects(lambda: False)
        with file_effects(effects):
            effects.begin([Interruption(Point(number), effects.crash)])
            try:
                merged(parts, standing, 3)
                is_done = True
            except Crash:
                is_done = False
            effects.end()
        after = Parts(parts.folder)
        assert [name for part in after.all() for name in part.goes_by] == ["a", "b", "c"]
        grown(after, "d")
        assert [name for part in after.all() for name in part.goes_by] == ["a", "b", "c", "d"]
        left = [name for name in names(after) if not name.startswith(".tmp-")]
        assert left == [f"{part.first:07}-{part.last:07}.parquet" for part in after.all()], "no part stands twice"
        if is_done:
            assert number > 5
            break


def test_of_two_who_write_the_same_part_one_does_and_the_other_is_told(parts: Parts) -> None:
    standing = grown(parts, "a")
    assert parts.write_part(table(KEYS, 1), ["b"], after=standing) is not None
    assert Parts(parts.folder).write_part(table(KEYS, 2), ["b"], after=standing) is None
    assert [part.goes_by for part in parts.all()] == [("a",), ("b",)]


@pytest.mark.parametrize("lost", [0, 1])
def test_a_part_that_is_missing_before_others_is_missed(parts: Parts, lost: int) -> None:
    grown(parts, "a", "b", "c")[lost].path.unlink()
    with pytest.raises(ManifestError, match="do not follow on each other"):
        parts.all()
    parts.remove_parts()
    assert parts.all() == []


def test_parts_of_two_who_knew_nothing_of_each_other_are_not_added_up(parts: Parts) -> None:
    standing = grown(parts, "a", "b")
    parts.write_part(table(KEYS, 1), ["a"], after=standing)
    with pytest.raises(ManifestError, match="go by the same outcomes"):
        parts.all()


def test_rows_of_a_document_are_read_without_the_others(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GROUP_ROWS", 4)
    part = parts.write_part(table(KEYS, 1), ["a"], after=[])
    assert part is not None
    schema = table(KEYS, 1).schema

    for documents, found in ((["CA:Lincoln:1902"], 4), (["CA:Lincoln:1901", "CA:Lincoln:1904"], 8), (["X:y:1"], 0)):
        assert len(parts.read(part, schema, Rows("document", documents))) == found
    assert len(parts.read(part, schema, Rows("document", []))) == 0

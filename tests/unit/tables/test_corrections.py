"""People's corrections: saved beside what the model had answered, told from it, and never overwritten by it."""

import errno
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from assets.domain.errors import (
    CorrectionConflictError,
    CorrectionError,
    HomeMismatchError,
    LockBusyError,
    ManifestError,
    QuireError,
)
from assets.domain.home import HomeFile
from assets.plain_rows import plain_rows
from config.settings import load_settings
from flows.gateways.files.output_results import ResultFile, sha256_hex
from flows.gateways.files.result_groups import ResultGroups
from flows.gateways.files.results_lock import correcting, placing_answers
from flows.operate import rerun, results_as_they_are
from flows.tables.corrections import Corrector, corrections_of, model_answer, standing_corrections
from flows.tables.edited import find_edited
from tests.errno_matrix.faults import Fault, faults_in
from tests.twins.effects import Crash, Effects, Interruption, Point, file_effects
from tests.twins.ledger import InMemoryLedger
from tests.unit.exports.shelf import Shelf, block, transcript

DOCUMENT = "CA:Lincoln:2023"
KEY, OTHER, UNREAD = f"{DOCUMENT}:1", f"{DOCUMENT}:2", f"{DOCUMENT}:3"
READ, RIGHT = transcript(block("Tne quick fox")), transcript(block("The quick fox"))
AT = datetime(2026, 11, 27, 9, 30, tzinfo=UTC)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    made = Shelf(tmp_path, schema="config.schemas.page_transcript:PageTranscript")
    made.add(DOCUMENT, {"1": READ, "2": READ, "3": None})
    made.storage.output_results.mkdir(parents=True, exist_ok=True)
    made.storage.home.create(HomeFile("a" * 32, None))
    return made


@pytest.fixture
def corrector(shelf: Shelf) -> Corrector:
    return replace(Corrector.of(load_settings(shelf.config)), now=lambda: AT, patience_seconds=0)


def seen(corrector: Corrector, key: str) -> str | None:
    file = corrector.storage.result_file(key)
    return file.sha256 if file is not None else None


def save(corrector: Corrector, key: str, result: Any, by: str = "Ada") -> str:
    return corrector.correct(key, json.dumps(result), seen=seen(corrector, key), by=by).sha256


def text_of(corrector: Corrector, key: str) -> str:
    content = corrector.storage.read_result(key)
    return "" if content is None else json.loads(content)["blocks"][0]["text"]


def said(corrector: Corrector) -> dict[str, tuple[str, str]]:
    rows = plain_rows(standing_corrections(corrector.storage, corrector.storage.find_results()))
    assert [row["record_key"] for row in rows] == corrections_of(corrector.storage, [KEY, OTHER, UNREAD])[
        "record_key"
    ].to_pylist()
    return {row["record_key"]: (row["kind"], row["corrected_by"]) for row in rows}


async def ask_again(corrector: Corrector, key: str, *, edited: bool = False) -> list[str]:
    """The records that are to be read again then."""
    storage = corrector.storage
    results = results_as_they_are(storage, [key])
    ledger = InMemoryLedger()
    await ledger.create_home("a" * 32)
    await rerun(storage, ledger, [key], results, rerun_id=corrector.new_id(), edited=edited)
    return storage.find_results().to_be_replaced["record_key"].to_pylist()  # type: ignore[no-any-return]  # Arrow's


def test_a_correction_is_the_result_and_what_the_model_had_answered_is_kept(corrector: Corrector) -> None:
    storage, before = corrector.storage, corrector.storage.read_result(KEY)
    assert model_answer(storage, KEY) is None

    sha256 = save(corrector, KEY, RIGHT, by="  Ada\tLovelace ")

    assert text_of(corrector, KEY) == "The quick fox"
    assert said(corrector) == {KEY: ("corrected", "Ada Lovelace")}
    assert model_answer(storage, KEY) == before
    (row,) = plain_rows(storage.corrections.read())
    assert (row["submission_id"], row["batch_id"], row["corrected_at"]) == (f"01jd{1:022d}", "batches/b", AT)
    assert (row["answer_sha256"], row["seen_sha256"], row["result_sha256"]) == (
        *[sha256_hex(before or b"")] * 2,
        sha256,
    )
    assert storage.corrections.content(sha256) == storage.read_result(KEY), "people's work is there twice"

    save(corrector, KEY, transcript(block("The quick brown fox")), by="Bob")
    assert said(corrector) == {KEY: ("corrected", "Bob")}
    assert model_answer(storage, KEY) == before, "a second correction is of the model's answer, too"
    corrector.correct(KEY, (before or b"").decode(), seen=seen(corrector, KEY), by="Bob")
    assert text_of(corrector, KEY) == "Tne quick fox", "it can be put back"


def test_a_page_is_checked_by_word_or_by_saving_it_as_it_was(corrector: Corrector) -> None:
    assert corrector.check(KEY, seen=seen(corrector, KEY) or "", by="Ada").kind == "checked"
    before = corrector.storage.read_result(OTHER)
    assert corrector.correct(OTHER, json.dumps(READ), seen=seen(corrector, OTHER), by="Bob").kind == "checked"
    assert corrector.storage.read_result(OTHER) == before, "however it is laid out"
    assert said(corrector) == {KEY: ("checked", "Ada"), OTHER: ("checked", "Bob")}
    assert find_edited(corrector.storage, corrector.storage.find_results()).problems.num_rows == 0


def test_a_page_that_no_model_could_read_is_typed_in(corrector: Corrector) -> None:
    save(corrector, UNREAD, RIGHT)
    assert said(corrector) == {UNREAD: ("corrected", "Ada")}
    assert UNREAD in corrector.storage.find_results().done
    assert model_answer(corrector.storage, UNREAD) is None


def test_whoever_comes_second_is_told_and_has_both_contents(corrector: Corrector) -> None:
    opened = seen(corrector, KEY)
    save(corrector, KEY, RIGHT, by="Ada")
    mine = json.dumps(transcript(block("mine")))
    told_by = partial(pytest.raises, CorrectionConflictError)
    for act in (partial(corrector.correct, KEY, mine), partial(corrector.check, KEY)):
        with told_by(match="Ada has saved another result at 2026-11-27 09:30 UTC") as told:
            act(seen=opened or "", by="Bob")
        assert told.value.there == corrector.storage.read_result(KEY)
        assert told.value.there_sha256 == seen(corrector, KEY)
        assert told.value.mine is None or b'"mine"' in told.value.mine
    assert text_of(corrector, KEY) == "The quick fox"
    assert said(corrector) == {KEY: ("corrected", "Ada")}

    corrector.storage.result_path(KEY).write_text("{}")
    with pytest.raises(CorrectionConflictError, match="another one than the one that you saw"):
        corrector.correct(KEY, json.dumps(RIGHT), seen=opened, by="Bob")
    corrector.storage.result_path(KEY).unlink()
    with pytest.raises(CorrectionConflictError, match="is gone since you saw it") as told:
        corrector.correct(KEY, json.dumps(RIGHT), seen=opened, by="Bob")
    assert told.value.there is None


def test_of_two_who_save_at_the_same_moment_one_is_told(corrector: Corrector) -> None:
    together, both = threading.Barrier(2), replace(corrector, patience_seconds=30)
    opened = seen(corrector, KEY)

    def save_as(name: str) -> bool:
        together.wait()
        try:
            both.correct(KEY, json.dumps(transcript(block(name))), seen=opened, by=name)
        except CorrectionConflictError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        saved = dict(zip(("Ada", "Bob"), pool.map(save_as, ("Ada", "Bob")), strict=True))

    (winner,) = [name for name, is_saved in saved.items() if is_saved]
    assert text_of(corrector, KEY) == winner
    assert said(corrector) == {KEY: ("corrected", winner)}
    with placing_answers(corrector.storage.manifests), pytest.raises(LockBusyError, match="save it again"):
        save(corrector, KEY, RIGHT)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"blocks": 1}', "printed_page_number: Field required"),
        ("{", "the answer is not JSON"),
        ("1", ""),
    ],
)
def test_what_is_no_result_of_the_collection_is_not_saved(corrector: Corrector, text: str, problem: str) -> None:
    before = corrector.storage.read_result(KEY)
    with pytest.raises(CorrectionError, match=f"{KEY}: .*{problem}.*; nothing is saved"):
        corrector.correct(KEY, text, seen=seen(corrector, KEY), by="Ada")
    assert corrector.storage.read_result(KEY) == before
    assert not (corrector.storage.manifests / "corrections.parquet").exists()


def test_who_and_what_must_be_known(corrector: Corrector) -> None:
    for name in ("", "a\x1b[2J", "a" * 201):
        with pytest.raises(CorrectionError, match="say who you are"):
            save(corrector, KEY, RIGHT, by=name)
    with pytest.raises(CorrectionError, match="is no page of this collection"):
        save(corrector, f"{DOCUMENT}:99", RIGHT)
    with pytest.raises(CorrectionError, match="has no result that could be checked"):
        corrector._save(UNREAD, None, seen=None, by="Ada")
    corrector.storage.result_path(KEY).write_text("{,}")
    with pytest.raises(CorrectionError, match=r"1\.json is no JSON .*: correct it; nothing is saved"):
        corrector.check(KEY, seen=seen(corrector, KEY) or "", by="Ada")
    (corrector.storage.manifests / "home.json").unlink()
    with pytest.raises(HomeMismatchError, match="is the folder mounted"):
        save(corrector, KEY, RIGHT)


async def test_the_last_word_counts_between_a_wish_and_a_check(corrector: Corrector) -> None:
    assert await ask_again(corrector, KEY) == [KEY]
    corrector.check(KEY, seen=seen(corrector, KEY) or "", by="Ada")
    assert corrector.storage.find_results().to_be_replaced.num_rows == 0, "whoever has checked it wants it to stay"
    assert await ask_again(corrector, KEY) == []
    assert await ask_again(corrector, KEY, edited=True) == [KEY], "an explicit word"
    corrector.check(KEY, seen=seen(corrector, KEY) or "", by="Ada")
    assert corrector.storage.find_results().to_be_replaced.num_rows == 0
    assert await ask_again(corrector, KEY, edited=True) == [KEY]
    save(corrector, KEY, RIGHT)
    assert corrector.storage.done_among([KEY]) == {KEY}, "what was to be replaced is not there any more"
    assert await ask_again(corrector, KEY) == []


def test_killed_before_any_of_its_effects_it_has_saved_all_or_nothing(shelf: Shelf, corrector: Corrector) -> None:
    old, ended, number = corrector.storage.read_result(KEY), "killed", 0
    while ended == "killed":
        number += 1
        effects = Effects(is_changing=lambda: False)
        effects.begin([Interruption(Point(number), effects.crash)])
        try:
            with file_effects(effects):
                save(corrector, KEY, RIGHT)
            ended = "saved"
        except Crash:
            pass
        effects.end()
        is_saved = corrector.storage.read_result(KEY) != old
        assert is_saved == (KEY in said(corrector)), f"killed before effect {number}: {effects.log}"
        if is_saved:
            assert text_of(corrector, KEY) == "The quick fox"
            assert model_answer(corrector.storage, KEY) == old
            corrector.storage.result_path(KEY).write_bytes(old or b"")
        else:
            assert corrector.storage.read_result(KEY) == old
    assert number > 10, "there were effects to be killed at"
    save(corrector, KEY, RIGHT)
    assert said(corrector) == {KEY: ("corrected", "Ada")}


@pytest.mark.parametrize("kind", ["create", "write", "fsync", "rename", "link", "read"])
def test_whatever_the_disk_refuses_it_has_saved_all_or_nothing(shelf: Shelf, corrector: Corrector, kind: str) -> None:
    old, struck, number = corrector.storage.read_result(KEY) or b"", True, 0
    error = errno.EIO if kind == "read" else errno.ENOSPC
    while struck:
        number += 1
        with faults_in(shelf.root, Fault(kind, error, nth=number)) as calls:
            try:
                save(corrector, KEY, RIGHT)
                line = ""
            except (QuireError, OSError) as told:
                line = str(told)
        struck = bool(calls.struck)
        is_saved = corrector.storage.read_result(KEY) != old
        assert is_saved == (KEY in said(corrector))
        assert is_saved or str(shelf.root) in line, "nobody is told that nothing is saved, or where"
        corrector.storage.result_path(KEY).write_bytes(old)
    assert number > 1
    assert not [path for path in shelf.root.rglob(".tmp-*") if path.name != ".tmp-lock"]


class Heard:
    """What a settlement hears. ``given_up``: SHA-256 of the result that may be replaced."""

    def __init__(self, given_up: str | None) -> None:
        self._given_up, self.placed_keys, self.superseded_keys = given_up, list[str](), list[str]()
        self.asks = threading.Event()

    def check(self) -> None:
        self.asks.set()

    def check_folders(self) -> None: ...

    def given_up(self, record_key: str) -> str | None:
        return self._given_up

    def placed(self, record_key: str, file: ResultFile) -> None:
        self.placed_keys.append(record_key)

    def superseded(self, record_key: str) -> None:
        self.superseded_keys.append(record_key)

    def failed(self, record_key: str, error: ManifestError | OSError) -> None:
        raise error


@pytest.mark.parametrize("key", [KEY, UNREAD])
def test_an_answer_that_comes_while_a_person_saves_does_not_take_the_place(corrector: Corrector, key: str) -> None:
    """Whether there was a result, which was to be replaced, or none."""
    storage, heard = corrector.storage, Heard(seen(corrector, key))

    def settle() -> None:
        with ResultGroups(storage, heard, submission_id=f"01jd{2:022d}") as groups:
            groups.write_soon(key, b'{"answer": "late"}')
            groups.write_rest()

    right = json.dumps(RIGHT).encode()
    with ThreadPoolExecutor(1) as pool:
        with correcting(storage.manifests, patience_seconds=0):
            settling = pool.submit(settle)
            assert heard.asks.wait(30), "the settlement has begun"
            storage.correct_result(key, right, note=lambda _: None)
        settling.result(30)
    assert (heard.placed_keys, heard.superseded_keys) == ([], [key])
    assert storage.read_result(key) == right

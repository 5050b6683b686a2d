"""The page of a page: its image beside its text, what the result says besides, and what made it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assets.candidates import RecordState
from assets.domain.errors import ManifestError, RecordKeyError, words_of
from assets.domain.record import SEPARATOR, parse_key
from assets.domain.result_form import result_in
from assets.reading import Content, content_of
from config.schemas.parts import ROTATION_DEGREES
from flows.questions.why import Why, why_of
from flows.runtime.wiring import utc_now
from viewer.blocks import Field, SetBlock, count_words, fields_of, set_blocks
from viewer.document import done_by_hand, group_of, outdated_reasons, page_of
from viewer.pictures import version_of
from viewer.room import NotHereError, Room
from viewer.standing import Standing

MOST_PROMPT_BYTES = 200_000
MOST_JSON_CHARS = 400_000


@dataclass(frozen=True)
class PageView:
    """``position``: its place in its document, from 1; ``before``, ``behind``: keys of the pages beside it in the
    collection, "" where there is none; ``group``: of its state; ``by_hand``: what a person has done with its result, ""
    for nothing; ``version``: of its image; ``sha256``: of its result; ``problem``: why that cannot be shown;
    ``rotation``: by how many degrees its image has to be turned clockwise, as the answer says; ``fields``: all that the
    result says, ``notes``: what the shipped schemas tell of the page as a whole."""

    record_key: str
    document: str
    label: str
    position: int
    count: int
    page_of_document: int
    before: str
    behind: str
    state: RecordState
    group: str
    by_hand: str
    outdated: tuple[str, ...]
    version: str
    has_result: bool
    sha256: str
    problem: str
    content: Content
    blocks: list[SetBlock]
    words: int
    fields: tuple[Field, ...]
    json_text: str
    rotation: int
    why: Why
    prompt: str
    notes: tuple[tuple[str, str], ...]

    @property
    def has_boxes(self) -> bool:
        return any(block.box for block in self.blocks)


def page_view(room: Room, record_key: str) -> PageView:
    """Raises NotHereError, ManifestError, OSError."""
    standing = room.standing
    number = number_of(room, standing, record_key)
    document = standing.document_of(number)
    first, end = standing.span_of(document) or (0, 0)
    now = read_result(room, record_key)
    result = now.result
    content = content_of(result) if result is not None else Content()
    blocks = set_blocks(content)
    state = standing.state_of(number)
    whole = room.keeper.standing
    why = why_of(
        room.settings, room.storage, whole.ledger, record_key, whole.problem, now=utc_now(), states=whole.states
    )
    text = "" if result is None else json.dumps(result, ensure_ascii=False, indent=2)
    return PageView(
        record_key=record_key,
        document=document,
        label=record_key.rpartition(SEPARATOR)[2],
        position=number - first + 1,
        count=end - first,
        page_of_document=page_of(number - first),
        before=standing.key_of(number - 1) if number else "",
        behind=standing.key_of(number + 1) if number + 1 < len(standing) else "",
        state=state,
        group=group_of(state),
        by_hand=done_by_hand(standing, number),
        outdated=outdated_reasons(standing, number),
        version=version_of(room.image_row(standing, number)),
        has_result=now.is_there,
        sha256=now.sha256,
        problem=now.problem,
        content=content,
        blocks=blocks,
        words=count_words(content.text),
        fields=fields_of(result) if result is not None else (),
        json_text=text if len(text) <= MOST_JSON_CHARS else text[:MOST_JSON_CHARS] + "\n…",
        rotation=_rotation(result),
        why=why,
        prompt=_prompt(why),
        notes=_notes(result),
    )


def number_of(room: Room, standing: Standing, record_key: str) -> int:
    """Raises NotHereError for what is no page of the collection, whatever it looks like."""
    try:
        parse_key(record_key, field_count=len(room.storage.document_fields))
        number = standing.number_of(record_key)
    except RecordKeyError:
        number = None
    if number is None:
        raise NotHereError(f"there is no page {record_key} in the record manifest")
    return number


@dataclass(frozen=True, slots=True)
class ResultNow:
    """A result as it lies there. ``result``: None where there is none, or it cannot be shown, ``problem``: why that is;
    ``sha256``: of its bytes, "" where there are none."""

    result: Any = None
    problem: str = ""
    is_there: bool = False
    sha256: str = ""


def read_result(room: Room, record_key: str) -> ResultNow:
    try:
        found = room.storage.result_as_it_is(record_key)
    except ManifestError as error:
        return ResultNow(problem=str(error), is_there=True)
    except OSError as error:
        return ResultNow(problem=f"its result cannot be read: {words_of(error)}", is_there=True)
    if found is None:
        return ResultNow()
    file, content = found
    result, problem = result_in(content)
    return ResultNow(result, f"its result {problem}" if problem else "", is_there=True, sha256=file.sha256)


def _rotation(result: Any) -> int:
    found = result.get(ROTATION_DEGREES) if isinstance(result, dict) else None
    return found if found in (90, 180, 270) and type(found) is int else 0


def _notes(result: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(result, dict):
        return ()
    said = [
        ("page number", result.get("printed_page_number")),
        ("language", result.get("language")),
        ("", "goes on from the page before" if result.get("continues_previous_page") is True else None),
        ("", "goes on on the next page" if result.get("continues_on_next_page") is True else None),
    ]
    return tuple((name, text) for name, text in said if isinstance(text, str) and text)


def _prompt(why: Why) -> str:
    """The text of the prompt that made the result; "" where it is not kept."""
    if why.prompt_file is None:
        return ""
    try:
        with Path(why.prompt_file).open("rb") as file:
            return file.read(MOST_PROMPT_BYTES).decode(errors="replace")
    except OSError as error:
        return f"It cannot be read: {words_of(error)}"

"""Correcting a page: the form beside its image, what was typed saved as its result, and what a person is told where
that cannot be. How a result is saved, and what it is judged by, stands in `flows.tables.corrections`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from typing import Any

from assets.corrections import CorrectionKind
from assets.domain.errors import CorrectionConflictError, CorrectionError
from assets.domain.result_form import result_in
from config.schema_loader import load_schema
from flows.tables.corrections import Corrector, Saved
from viewer.form import FormField, empty_of, form_of, result_of, visible_json
from viewer.page import PageView, number_of, page_view
from viewer.room import Room

AS_JSON = "json"
MAX_COMPARED_LINES = 3_000
"""Of longer results the lines that differ are not marked."""
AROUND = 3
LEFT_OUT = ("…", False)
Inputs = Sequence[tuple[str, str]]
Lines = tuple[tuple[str, bool], ...]


@dataclass(frozen=True)
class EditPage:
    """``fields``: of the form, None where the result is edited as JSON, which is ``text`` then; ``seen``: SHA-256 of
    the result that the person sees, "" without one; ``problems``: why what was typed was not saved; ``theirs``,
    ``mine``: lines of both results, each with whether it differs, where another one has been saved meanwhile."""

    view: PageView
    fields: tuple[FormField, ...] | None
    text: str
    seen: str
    problems: tuple[str, ...] = ()
    theirs: Lines = ()
    mine: Lines = ()


class Editor:
    """``person``: the name that is noted."""

    def __init__(self, room: Room, corrector: Corrector, person: str) -> None:
        self._room, self._corrector, self.person = room, corrector, person

    @classmethod
    def of(cls, room: Room, person: str) -> "Editor":
        """Raises ConfigError, SchemaError, PromptError."""
        return cls(room, Corrector.of(room.settings), person)

    @cached_property
    def _schema(self) -> dict[str, Any]:
        return load_schema(self._room.settings).model_json_schema()

    def page(self, record_key: str, *, as_json: bool) -> EditPage:
        """The form of a page as it is now. Raises NotHereError, ManifestError, OSError."""
        view = page_view(self._room, record_key)
        there = self._room.storage.result_as_it_is(record_key)
        if there is None:
            return self._form(view, empty_of(self._schema), "", as_json=as_json)
        file, content = there
        result, problem = result_in(content)
        if result is None:
            text = content.decode(errors="replace")
            return EditPage(view, None, text, file.sha256, (f"what lies there {problem}",))
        return self._form(view, result, file.sha256, as_json=as_json)

    def save(self, record_key: str, inputs: Inputs, *, seen: str) -> Saved | EditPage:
        """Save what was typed; or the form again, with what is wrong. ``seen``: as in `EditPage`. Raises NotHereError,
        LockBusyError, StateError, OSError."""
        number_of(self._room, self._room.standing, record_key)
        typed = dict(inputs)
        as_json = AS_JSON in typed
        read = result_of(inputs)
        text = typed[AS_JSON] if as_json else json.dumps(read.result, ensure_ascii=True)
        result = _parsed(text) if as_json else read.result
        if read.problems and not as_json:
            return self._again(record_key, result, text, seen, read.problems, as_json=as_json)
        try:
            return self._done(self._corrector.correct(record_key, text, seen=seen or None, by=self.person))
        except CorrectionConflictError as error:
            return self._conflict(record_key, result, error, as_json=as_json)
        except CorrectionError as error:
            return self._again(record_key, result, text, seen, [str(error)], as_json=as_json)

    def check(self, record_key: str, *, seen: str) -> Saved | EditPage:
        """Mark a page as good. Raises as `save`, and CorrectionError."""
        number_of(self._room, self._room.standing, record_key)
        try:
            return self._done(self._corrector.check(record_key, seen=seen, by=self.person))
        except CorrectionConflictError as error:
            return self._conflict(record_key, None, error, as_json=False)

    def _done(self, saved: Saved) -> Saved:
        self._room.keeper.saved(saved.record_key, saved.kind)
        return saved

    def _form(self, view: PageView, result: Any, seen: str, *, as_json: bool, **more: Any) -> EditPage:
        fields = None if as_json else form_of(self._schema, result)
        return EditPage(view, fields, visible_json(result), seen, **more)

    def _again(
        self, record_key: str, result: Any, text: str, seen: str, problems: Sequence[str], *, as_json: bool
    ) -> EditPage:
        view = page_view(self._room, record_key)
        if as_json:
            return EditPage(view, None, text, seen, tuple(problems))
        return self._form(view, result, seen, as_json=False, problems=tuple(problems))

    def _conflict(self, record_key: str, result: Any, error: CorrectionConflictError, *, as_json: bool) -> EditPage:
        """With what was typed in the form, to be saved knowing the other one."""
        view = page_view(self._room, record_key)
        there = "" if error.there is None else visible_json(result_in(error.there)[0])
        mine = "" if error.mine is None else visible_json(json.loads(error.mine))
        theirs_shown, mine_shown = compared(there, mine)
        if error.mine is None:
            result = result_in(error.there)[0] if error.there is not None else empty_of(self._schema)
        seen = error.there_sha256 or ""
        return self._form(
            view, result, seen, as_json=as_json, problems=(str(error),), theirs=theirs_shown, mine=mine_shown
        )


def compared(theirs: str, mine: str) -> tuple[Lines, Lines]:
    """Of both the lines that the other one has not, with a few around them, each with whether it differs."""
    left, right = theirs.splitlines(), mine.splitlines()
    if max(len(left), len(right)) > MAX_COMPARED_LINES:
        return tuple((each, False) for each in left), tuple((each, False) for each in right)
    differ = set[int](), set[int]()
    near = set[int](), set[int]()
    for kind, *spans in SequenceMatcher(a=left, b=right, autojunk=False).get_opcodes():
        if kind != "equal":
            for side, (at, end) in enumerate((spans[:2], spans[2:])):
                differ[side].update(range(at, end))
                near[side].update(range(at - AROUND, end + AROUND))
    return _cut(left, differ[0], near[0]), _cut(right, differ[1], near[1])


def _cut(lines: Sequence[str], differ: set[int], near: set[int]) -> Lines:
    found = list[tuple[str, bool]]()
    for at, line in enumerate(lines):
        if at in near:
            found.append((line, at in differ))
        elif not found or found[-1] != LEFT_OUT:
            found.append(LEFT_OUT)
    return tuple(found)


def said_of(kind: str, person: str) -> str:
    """What a person is told after saving. ``kind``: as an address says it."""
    if kind == CorrectionKind.CORRECTED:
        return f"Saved: corrected by {person}. No pass sends or overwrites this page any more."
    if kind == CorrectionKind.CHECKED:
        return f"Noted: checked and good, by {person}. No pass sends or overwrites this page any more."
    return ""


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None

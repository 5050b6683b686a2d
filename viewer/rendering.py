"""Templates of the pages, and what they say in words. All text goes through `viewer.shown`: what is not marked as HTML
here is escaped, and nothing that is hidden stays so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from assets.candidates import RecordState
from assets.domain.money import dollars
from viewer.links import Links
from viewer.shown import marked, marked_key, plain

FOLDER = Path(__file__).parent
FRONT = FOLDER / "front"
FRONT_FILES = {
    "view.css": "text/css; charset=utf-8",
    "view.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
STATE_WORDS = {
    RecordState.DONE: "done",
    RecordState.INFLIGHT: "in flight",
    RecordState.DEAD: "dead letter",
    RecordState.HELD: "held for a person",
    RecordState.WAITING: "waiting",
    RecordState.POSTPONED: "postponed",
    RecordState.RUNNABLE: "to be sent",
}
GROUP_WORDS = {"done": "done", "in_flight": "in flight", "failing": "failing", "waiting": "waiting"}


@dataclass(frozen=True)
class Surroundings:
    """What each page says around its own: ``title``: of the collection; ``person``: who corrects, "" where nobody does,
    ``form_token``: what forms send along; ``trouble``: why it may not be up to date;
    ``as_of``: when it was read, ``why_files``: and why by its files alone; ``is_static``: it is a file, and nobody
    answers."""

    title: str
    is_static: bool = False
    person: str = ""
    form_token: str = ""
    trouble: str = ""
    as_of: str = ""
    why_files: str = ""


def render(template: str, links: Links, around: Surroundings, **context: Any) -> str:
    return _ENVIRONMENT.get_template(template).render(links=links, around=around, **context)


def no_picture(words: str) -> str:
    """In place of an image that cannot be shown: why, in SVG."""
    return _ENVIRONMENT.get_template("no_picture.svg").render(lines=_wrapped(words, 34))


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()[:width]
    return lines[:10]


def moment(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M} UTC"


def raw(text: str) -> Markup:
    """What a person edits, as it is: escaped, and not a character is another."""
    return escape(text)


def choice_words(text: str) -> str:
    """One of the values of a choice, which are JSON."""
    return "–" if text == "null" else text.removeprefix('"').removesuffix('"').replace("_", " ")


def state_words(state: str) -> str:
    return STATE_WORDS.get(RecordState(state), state) if state in list(RecordState) else state


def kind_words(kind: str) -> str:
    return kind.replace("_", " ")


def counted(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def share(count: int, total: int) -> str:
    """Never 100 % before all is done, and never 0 % once something is."""
    if not total or count in (0, total):
        return "100 %" if total and count else "0 %"
    return f"{min(99.9, max(0.1, 100 * count / total)):.1f} %"


def _finalized(value: object) -> object:
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        finalize=_finalized,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: Mapping[str, Any] = {
        "marked": marked,
        "marked_key": marked_key,
        "dollars": dollars,
        "moment": moment,
        "state_words": state_words,
        "kind_words": kind_words,
        "counted": counted,
        "share": share,
        "raw": raw,
        "choice_words": choice_words,
    }
    environment.filters.update(filters)
    environment.globals["GROUP_WORDS"] = GROUP_WORDS
    return environment


_ENVIRONMENT = _environment()

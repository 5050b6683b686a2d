"""What a form of Prefect's means, and how what was done is shown."""

from typing import Any

import pytest
from markdown_it import MarkdownIt

from assets.domain.errors import QuireError
from assets.domain.outcome import OutcomeKind
from assets.outdated import Reason
from flows.steering import MAX_LINE_CHARS, MAX_LINES, said_markdown, selected
from flows.terminal.reruns import Words

NOTHING: dict[str, Any] = {"dead": False, "kind": None, "outdated": [], "prompt": None}


@pytest.mark.parametrize(("pages", "prompt"), [([], None), (["", "  "], "  ")])
def test_a_form_that_was_left_empty_does_not_mean_everything(pages: list[str], prompt: str | None) -> None:
    with pytest.raises(QuireError, match="nothing is selected, and nothing is done"):
        selected(pages, **NOTHING | {"prompt": prompt})


def test_a_form_means_what_the_command_means() -> None:
    assert selected([" A:b:1:2 ", ""], **NOTHING) == Words(["A:b:1:2"])
    assert selected([], **NOTHING | {"dead": True}) == Words([], dead=True)
    assert selected([], **NOTHING | {"kind": OutcomeKind.BLOCKED, "prompt": "p:v1"}) == Words(
        [], False, "blocked", prompt="p:v1"
    )
    assert selected(["A:b:1"], **NOTHING | {"outdated": [Reason.PROMPT]}) == Words(["A:b:1", "prompt"], outdated=True)


def test_what_was_said_is_shown_as_it_is_and_is_bounded() -> None:
    said = "1 result\n<b>**x**</b> `y`\x1b[31m\n\n| a |\n" + "\n".join(["z" * 2 * MAX_LINE_CHARS] * MAX_LINES)

    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(said_markdown(said))

    [block] = tokens
    assert block.type == "code_block"
    lines = block.content.splitlines()
    assert lines[:2] == ["1 result", "<b>**x**</b> `y`\\x1b[31m"]
    assert (len(lines), max(map(len, lines))) == (MAX_LINES + 1, MAX_LINE_CHARS)
    assert lines[-1].startswith("... and ")

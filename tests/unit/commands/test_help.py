"""`quire --help` and the help of each command, as a terminal of 80 columns shows them."""

import re
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli import COMMANDS, app
from tests.command import QUIRE

ALL = {command.__name__.replace("_", "-"): lines for group in COMMANDS.values() for command, lines in group.items()}


def shown(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1"})
    assert result.exit_code == 0, result.output
    return result.output


def test_commands_are_in_groups_with_a_line_each() -> None:
    said = shown("--help")
    groups = re.findall(r"─ (Run|Look|Steer|Set up) ─", said)
    assert groups == ["Run", "Look", "Steer", "Set up"]
    for name, (in_a_line, *_) in ALL.items():
        assert re.search(rf"^│ {name} +{re.escape(in_a_line)} *│$", said, re.MULTILINE), name
    assert "--install-completion" in said


@pytest.mark.parametrize("name", sorted(ALL))
def test_each_command_has_an_example_that_is_one_of_it(name: str) -> None:
    said = shown(name, "--help")
    _, *examples = ALL[name]
    assert examples
    for example in examples:
        assert example.split()[:2] == ["quire", name]
        assert re.search(rf"^ *{re.escape(example)} *$", said, re.MULTILINE), said
        options = {word for word in example.split() if word.startswith("--")}
        assert options <= set(re.findall(r"--[a-z-]+", said.partition("Example")[0]))


CHANGE_NOTHING = {
    "quality",
    "sample",
    "status",
    "why",
    "check",
    "estimate",
    "plan",
    "assets",
    "verify",
    "rotated",
    "prompts",
    "doctor",
}
RUN_UNTIL_CTRL_C = {"view", "up", "demo", "emulator"}
"""Servers of this machine, that change nothing of a collection."""


@pytest.mark.parametrize("name", sorted(ALL.keys() - CHANGE_NOTHING - RUN_UNTIL_CTRL_C))
def test_what_changes_something_can_be_asked_what_it_would_do(name: str) -> None:
    assert "--dry-run" in shown(name, "--help")


@pytest.fixture(scope="module")
def bash_completion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `quire --show-completion bash` prints."""
    # It looks which shell has started it, so that has to be bash, and to stay.
    ask = ["bash", "-c", '"$0" --show-completion bash && :', str(QUIRE)]
    said = subprocess.run(ask, capture_output=True, text=True, timeout=60, check=True)
    path = tmp_path_factory.mktemp("bash") / "completion.sh"
    path.write_text(said.stdout, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("quire res", {"reset-breaker", "resettle", "restore"}),
        ("quire assets --do", {"--document"}),
        ("quire scan --", {"--full", "--limit", "--dry-run", "--json", "--config", "--verbose", "--quiet", "--help"}),
        ("quire nonsense", set()),
    ],
)
def test_bash_itself_completes_them(bash_completion: Path, typed: str, expected: set[str]) -> None:
    """As after `quire --install-completion`, with Tab at the end of the line."""
    script = (
        f"source {bash_completion}\n"
        f"read -ra COMP_WORDS <<< '{typed}'; COMP_CWORD=$(({len(typed.split())} - 1)); COMP_LINE='{typed}'\n"
        "COMP_POINT=${#COMP_LINE}; complete -p quire >&2\n"
        f'_quire_completion {QUIRE} "${{COMP_WORDS[COMP_CWORD]}}" x; printf \'%s\\n\' "${{COMPREPLY[@]}}"'
    )
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, timeout=60, check=False)

    assert "-F _quire_completion quire" in done.stderr, "bash asks this function"
    assert {word for word in done.stdout.split() if word} == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_commands_are_completed(shell: str) -> None:
    words = {"bash": ("COMP_WORDS", "quire res"), "zsh": ("_TYPER_COMPLETE_ARGS", "quire res")}
    variable, typed = words.get(shell, ("_TYPER_COMPLETE_ARGS", "quire res"))
    more = {"COMP_CWORD": "1"} if shell == "bash" else {"_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    environment = {"_QUIRE_COMPLETE": f"complete_{shell}", variable: typed, **more}
    result = CliRunner().invoke(app, [], env=environment, prog_name="quire")
    assert "resettle" in result.output
    assert "reset-breaker" in result.output

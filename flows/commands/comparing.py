"""The arguments of ``quire compare`` and ``quire second-read``. What they do stands in `flows.terminal.comparing`,
which is imported when one runs.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.options import AsJson, Config, DryRun
from flows.runtime.extras import require_extra
from flows.terminal.running import config_text, run_to_end, say

if TYPE_CHECKING:
    from flows.terminal.comparing import Asked

INTERRUPTED = "nothing is lost; quire compare NAME goes on, and so does each pass"
Name = Annotated[str, typer.Option("--name", help="Of the run.", show_default="by the time")]
Seed = Annotated[int, typer.Option("--seed", help="Which pages are drawn.")]
Watch = Annotated[bool, typer.Option("--watch", help="Wait until all is read.")]
Yes = Annotated[bool, typer.Option("--yes", help="Send it; it is only priced without.")]


def compare(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[A B | NAME]",
            help="Two settings: current, pairs (model=gemini-3.5-flash-lite,prompt=v2), a YAML file with settings or "
            "the name of one in variants/; or the name of a run, to go on with it and see it; or replaced, for results "
            "that were read anew. All runs without.",
        ),
    ] = None,
    sample: Annotated[str, typer.Option("--sample", help="How many pages, or which share: 50, 2%.")] = "",
    name: Name = "",
    seed: Seed = 0,
    watch: Watch = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Read the same pages with two settings, beside the results, and say which is better and what it costs. The results
    stay untouched, and the caps of the budget hold."""
    words = words or []
    if len(words) > 2:
        raise typer.BadParameter("name two settings, or one run")
    if (len(words) == 2) != bool(sample) and words != ["replaced"]:
        raise typer.BadParameter("say how many pages: --sample 50", param_hint="--sample")
    require_extra("quality", "rapidfuzz")
    from flows.terminal.comparing import Asked, go_on_text, replaced_text, runs_text

    path = config_text(config)
    if len(words) == 2:
        _start(path, Asked((words[0], words[1]), sample, name, seed, yes, dry_run, watch, as_json))
    elif words == ["replaced"]:
        say(run_to_end(replaced_text(path, sample, seed=seed, as_json=as_json)))
    elif words:
        said = go_on_text(path, words[0], watch=watch, as_json=as_json, dry_run=dry_run)
        say(run_to_end(said, interrupted=INTERRUPTED))
    else:
        say(run_to_end(runs_text(path)))


def second_read(
    model: Annotated[str | None, typer.Option("--model", help="By which it is read.")] = None,
    prompt: Annotated[str | None, typer.Option("--prompt", help="With which: its version, or deeds:v2.")] = None,
    sample: Annotated[str, typer.Option("--sample", help="How many pages, or which share: 50, 2%.")] = "2%",
    name: Name = "",
    seed: Seed = 0,
    watch: Watch = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Read a sample of the pages that are done once more, beside the results, and say how far the two readings agree:
    where nobody has looked at a page, that is what can be known."""
    require_extra("quality", "rapidfuzz")
    from flows.terminal.comparing import Asked, second_words

    _start(config_text(config), Asked((second_words(model, prompt),), sample, name, seed, yes, dry_run, watch, as_json))


def _start(config: str | None, asked: "Asked") -> None:
    from flows.terminal.comparing import start_text

    said = start_text(config, asked, tell=lambda text: typer.echo(text, err=True))
    say(run_to_end(said, interrupted=INTERRUPTED))

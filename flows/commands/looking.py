"""The commands by which a person looks. What they do is imported when one runs: Prefect takes seconds."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from flows.commands.options import AsJson, Config, Key, Outdated, Reasons
from flows.terminal.running import config_text, run_to_end, say, wait_for


def status(
    reasons: Reasons = None,
    config: Config = None,
    as_json: AsJson = False,
    outdated: Outdated = False,
    everything: Annotated[bool, typer.Option("--all", help="All collections of this Prefect, a line each.")] = False,
) -> None:
    """What is done, in flight, waiting, dead; with --outdated, which results are outdated."""
    if everything:
        if as_json or outdated or reasons:
            raise typer.BadParameter("it goes alone", param_hint="--all")

        async def all_of_them(_: str | None) -> str:
            from flows.terminal.collections import collections_text

            return await collections_text()

        say(wait_for(all_of_them, config))
        return
    from flows.terminal.show import said_of_status

    say(wait_for(partial(said_of_status, reasons=reasons or [], as_json=as_json, outdated=outdated), config))


def why(
    key: Key,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Where one record stands and why, what made its result, and what became of it so far."""
    from flows.questions.why import why_json, why_text

    say(run_to_end((why_json if as_json else why_text)(config_text(config), key)))


def check(
    key: Annotated[str | None, typer.Argument(help="A record key.", show_default="the first that can be sent")] = None,
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="The line of the input file alone.")] = False,
    picture: Annotated[
        Path | None,
        typer.Option("--picture", help="Write the page as it goes up to this file; of a spread with its cut."),
    ] = None,
) -> None:
    """The request for one page as it would be sent, and what it would cost. Nothing is sent."""
    if picture is not None:
        if as_json:
            raise typer.BadParameter("it goes without --json", param_hint="--picture")
        from flows.terminal.picture import check_with_picture

        say(run_to_end(check_with_picture(config_text(config), key, picture)))
        return
    from flows.questions.check import check_json, check_text

    say(run_to_end((check_json if as_json else check_text)(config_text(config), key)))


def estimate(
    config: Config = None,
    limit: Annotated[int | None, typer.Option(min=0, help="Of so many pages, those that would be sent first.")] = None,
    as_json: AsJson = False,
) -> None:
    """What is left to be read, in pages, tokens and dollars, and how each number was reached. Sends nothing."""
    from flows.questions.estimate import estimate_json, estimate_text

    say(run_to_end((estimate_json if as_json else estimate_text)(config_text(config), limit=limit)))


def plan(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[REASON | SELECTION]...",
            help="Reasons (image, prompt, schema, model, context), and record keys, ranges or documents; all without.",
        ),
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """What would be read anew, why, in which documents and at what price; and what is still to be read. Sends nothing:
    quire rerun --outdated does."""
    from flows.questions.plan import plan_json, plan_text

    say(run_to_end((plan_json if as_json else plan_text)(config_text(config), words or ())))


def assets(
    document: Annotated[
        str | None, typer.Option("--document", help="Only this one, such as CA:Lincoln:2023, page by page.")
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
    svg: Annotated[bool, typer.Option("--svg", help="The graph as a picture, in SVG.")] = False,
) -> None:
    """Each asset: what it is made from, what was made of it last, whether its checks hold; or, of one document, what is
    fresh, stale or missing of it at each asset, and why."""
    if svg and (as_json or document):
        raise typer.BadParameter("it goes alone", param_hint="--svg")
    from flows.questions.catalogue_report import assets_json, assets_svg, assets_text

    path = config_text(config)
    say(run_to_end(assets_svg(path) if svg else (assets_json if as_json else assets_text)(path, document)))


def rotated(config: Config = None, as_json: AsJson = False) -> None:
    """The pages that have to be turned, as their results say: see schema_options. Reads every result."""
    from flows.questions.rotated import rotated_json, rotated_text

    say(run_to_end((rotated_json if as_json else rotated_text)(config_text(config))))


def verify(
    config: Config = None,
    edited: Annotated[
        bool, typer.Option("--edited", help="Results that a person has edited are as they should be.")
    ] = False,
) -> None:
    """Read every result: is it JSON, does it fit its schema, is it what was written. Status 1 if something is wrong."""
    from flows.questions.verify import verify as verify_results

    found = run_to_end(verify_results(config_text(config)))
    say(found.text())
    if found.is_wrong(edited_is_fine=edited):
        raise typer.Exit(1)


def prompts(config: Config = None) -> None:
    """The prompts that can be chosen, and those that were sent."""
    from flows.tables.prompts import prompts_text

    say(prompts_text(config_text(config)))


def doctor(config: Config = None) -> None:
    """Look at all that a pass needs: a line for each, with what to do. Status 1 if something would stop a pass."""
    from flows.doctor.report import diagnose

    found = run_to_end(diagnose(config_text(config)))
    say(found.text())
    if found.stops_a_pass:
        raise typer.Exit(1)

"""What a person starts in Prefect's UI: the operator's commands as flows, each on the one path of the command that
bears its name (`flows.terminal`, `flows.operate`), so that they say, check and lock alike. Each leaves what it did, or
would do, as an artifact. None takes the pass lock but `recover` and `backup`, so they work while a pass runs.

What runs by the clock stands in `pipeline`, `scan` and `prune`; the table of both is `deployments`.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from prefect import flow

from assets.domain.errors import QuireError
from assets.domain.outcome import OutcomeKind
from assets.outdated import Reason
from config.settings import load_settings
from flows.alarms.automations import apply_text, delete_text
from flows.backup import backup_text
from flows.gateways.prefect.api import PrefectApi
from flows.questions.catalogue import read_catalogue
from flows.questions.catalogue_report import assets_text, catalogue_lines, catalogue_markdown
from flows.questions.estimate import estimate_text
from flows.questions.verify import verify as verify_results
from flows.recover import recover_text
from flows.runtime.one_line import one_line
from flows.runtime.printable import printable
from flows.runtime.runs import ended, named, tag_run
from flows.runtime.telling import Teller
from flows.runtime.wiring import config_path
from flows.terminal.reruns import Words, rerun_text, unblock_text
from flows.terminal.show import release_text, reset_breaker_text

MAX_LINES = 500
MAX_LINE_CHARS = 2_000
NAME_SOME = "nothing is selected, and nothing is done: name pages, or choose dead, kind, outdated or prompt"


@flow(name="rerun", flow_run_name=named("rerun"), persist_result=False)
@one_line
async def rerun(
    config: str | None = None,
    pages: list[str] = [],  # noqa: B006 - a form shows a list by its default; it is only read
    dead: bool = False,
    kind: OutcomeKind | None = None,
    outdated: list[Reason] = [],  # noqa: B006
    prompt: str = "",
    edited: bool = False,
    limit_usd: float | None = None,
    dry_run: bool = True,
) -> str:
    """Have pages read again, although they have a result, which stays until the new one is written. Several selectors
    narrow: the pages named, or all, that fit each of the others. Like `quire rerun`, see B in docs/operations.md.

    Args:
        config: Path of the configuration file, as the run sees it. Empty: what QUIRE_CONFIG names there.
        pages: Record keys (CA:Lincoln:2023:4), ranges (CA:Lincoln:2023:1-40) or documents (CA:Lincoln:2023).
        dead: Only dead letters.
        kind: Only pages whose last outcome was of this kind.
        outdated: Only pages whose result was made from another image, prompt, schema, model or context than
            today's.
        prompt: Only pages that were read, or tried last, with this prompt, such as page_transcript:v1.
        edited: Also pages whose result a person has edited or put there.
        limit_usd: Only the first pages that are expected to cost no more together, in US dollars. Empty: all.
        dry_run: Only say what it would do, and what was paid for the results that are given up. Switch it off to do it.
    """
    words = selected(pages, dead=dead, kind=kind, outdated=outdated, prompt=prompt)
    act = partial(rerun_text, config, words, edited=edited, limit_usd=limit_usd, dry_run=dry_run, yes=True)
    return await _told("rerun", config, act, dry_run=dry_run)


@flow(name="unblock", flow_run_name=named("unblock"), persist_result=False)
@one_line
async def unblock(
    config: str | None = None,
    pages: list[str] = [],  # noqa: B006
    dead: bool = False,
    kind: OutcomeKind | None = None,
    outdated: list[Reason] = [],  # noqa: B006
    prompt: str = "",
    dry_run: bool = True,
) -> str:
    """Have dead letters and held pages tried again: their failures are forgotten. Several selectors narrow. Like `quire
    unblock`, see C in docs/operations.md.

    Args:
        config: Path of the configuration file, as the run sees it. Empty: what QUIRE_CONFIG names there.
        pages: Record keys (CA:Lincoln:2023:4), ranges (CA:Lincoln:2023:1-40) or documents (CA:Lincoln:2023).
        dead: Only dead letters. Alone: all of them.
        kind: Only pages whose last outcome was of this kind.
        outdated: Only pages whose result was made from another image, prompt, schema, model or context than
            today's.
        prompt: Only pages that were read, or tried last, with this prompt, such as page_transcript:v1.
        dry_run: Only say which pages it would be. Switch it off to do it.
    """
    words = selected(pages, dead=dead, kind=kind, outdated=outdated, prompt=prompt)
    return await _told(
        "unblock", config, lambda: unblock_text(config, words, dry_run=dry_run, yes=True), dry_run=dry_run
    )


@flow(name="release", flow_run_name=named("release"), persist_result=False)
@one_line
async def release(batch: str, config: str | None = None, cancel: bool = False) -> str:
    """Let go of a batch that is stuck: its pages are sent again. Like `quire release`, see D in docs/operations.md.

    Args:
        batch: A batch id (batches/abc123), submitting/... or a submission id, as the status artifact names it.
        config: Path of the configuration file, as the run sees it. Empty: what QUIRE_CONFIG names there.
        cancel: Cancel its job at Gemini at once. Otherwise the next pass does.
    """
    if not batch.strip():
        raise QuireError("no batch is named, and nothing is done")
    return await _told("release", config, lambda: release_text(config, batch.strip(), cancel=cancel))


@flow(name="reset-breaker", flow_run_name=named("reset-breaker"), persist_result=False)
@one_line
async def reset_breaker(config: str | None = None) -> str:
    """Send again after so much failed that nothing was sent any more. Look for the cause first. Like `quire
    reset-breaker`, see "When nothing is sent any more" in docs/operations.md.

    Args:
        config: Path of the configuration file, as the run sees it. Empty: what QUIRE_CONFIG names there.
    """
    return await _told("reset-breaker", config, lambda: reset_breaker_text(config))


@flow(name="recover", flow_run_name=named("recover"), persist_result=False)
@one_line
async def recover(config: str | None = None, write: bool = False, forget: int = 0) -> str:
    """Make the Variables again from manifests and Gemini's list, when Prefect's database was lost or restored. No pass
    may run meanwhile. Like `quire recover`, see "A folder or a database was exchanged" in docs/operations.md.

    Args:
        config: Path of the configuration file, as the run sees it. Empty: what QUIRE_CONFIG names there.
        write: Write what is shown. Off: it is only shown.
        forget: With write: how many active batches are forgotten that no file knows, as the preview has counted them.
    """
    return await _told("recover", config, lambda: recover_text(config, write=write, forget=forget), dry_run=not write)


@flow(name="estimate", flow_run_name=named("estimate"), persist_result=False)
@one_line
async def estimate(config: str | None = None, limit: int | None = None) -> str:
    """What is left to be read, in pages, tokens and dollars, and how each number was reached. Sends nothing. Like
    `quire estimate`, see docs/costs.md.

    Args:
        config: Path of the configuration file, as the run sees it. Empty: what QUIRE_CONFIG names there.
        limit: Only of so many pages, those that would be sent first. Empty: of all.
    """
    return await _told("estimate", config, lambda: estimate_text(config, limit=limit))


@flow(name="assets", flow_run_name=named("assets"), persist_result=False)
@one_line
async def assets(config: str | None = None, document: str = "") -> str:
    """Each asset: what it is made from, what was made of it last, whether its checks hold, as a picture and a table. Or
    of one document: what is fresh, stale or missing of it, and why. Like `quire assets`, see "The assets" in
    docs/operations.md.

    Args:
        config: Path of the configuration file, as the run sees it. Empty: what QUIRE_CONFIG names there.
        document: Only this document, such as CA:Lincoln:2023, page by page. Empty: the whole collection.
    """
    if document.strip():
        return await _told("document-assets", config, lambda: assets_text(config, document.strip()))
    catalogue = await read_catalogue(config)

    async def text() -> str:
        return "\n".join(catalogue_lines(catalogue))

    return await _told("assets", config, text, markdown=lambda _: catalogue_markdown(catalogue))


@flow(name="verify", flow_run_name=named("verify"), persist_result=False)
@one_line
async def verify(config: str | None = None, edited: bool = False) -> str:
    """Read every result: is it JSON, does it fit its schema, is it what was written. Ends as NeedsPerson if something
    is wrong. Like `quire verify`, see "Results that you edit" in docs/operations.md.

    Args:
        config: Path of the configuration file, as the run sees it. Empty: what QUIRE_CONFIG names there.
        edited: Results that a person has edited are as they should be.
    """
    found = await verify_results(config)

    async def text() -> str:
        # What matters most first: an artifact is read from its head.
        *lines, sums = found.text().splitlines()
        return "\n".join([sums, *lines])

    return await _told("verify", config, text, needs_person=found.is_wrong(edited_is_fine=edited))


@flow(name="backup", flow_run_name=named("backup"), persist_result=False)
@one_line
async def backup(to: str, config: str | None = None) -> str:
    """Keep manifests and Variables of one moment in a folder. Results and images are not in it. Waits for no pass: it
    fails while one runs. Like `quire backup`, see "Backup" in docs/operations.md.

    Args:
        to: The folder that gets the backup, under a name with the time, as the run sees it.
        config: Path of the configuration file, as the run sees it. Empty: what QUIRE_CONFIG names there.
    """
    if not to.strip():
        raise QuireError("no folder is named, and nothing is done")
    return await _told("backup", config, lambda: backup_text(config, Path(to.strip()).absolute()))


@flow(name="automations", flow_run_name=named("automations"), persist_result=False)
@one_line
async def automations(config: str | None = None, delete: bool = False, dry_run: bool = True) -> str:
    """Make the alarms of this collection as the settings say, or remove them. Like `quire automations`, see "Alarms" in
    docs/operations.md.

    Args:
        config: Path of the configuration file, as the run sees it. Empty: what QUIRE_CONFIG names there.
        delete: Remove them all. Others than this collection's are never touched.
        dry_run: Only say what would be made, changed and removed. Switch it off to do it.
    """
    act = delete_text if delete else apply_text
    return await _told("automations", config, lambda: act(config, dry_run=dry_run), dry_run=dry_run)


def selected(
    pages: list[str], *, dead: bool, kind: OutcomeKind | None, outdated: list[Reason], prompt: str | None
) -> Words:
    """Raises QuireError for no selection at all: a form that was left empty must not mean everything."""
    names = [each.strip() for each in pages if each.strip()]
    prompt = (prompt or "").strip() or None
    if not (names or dead or kind is not None or outdated or prompt):
        raise QuireError(NAME_SOME)
    reasons = [Reason(each).value for each in outdated]
    return Words([*names, *reasons], dead, kind.value if kind is not None else None, bool(reasons), prompt)


async def _told(
    what: str,
    config: str | None,
    act: Callable[[], Awaitable[str]],
    *,
    dry_run: bool = False,
    needs_person: bool = False,
    markdown: Callable[[str], str] | None = None,
) -> str:
    """Do it, and leave what it said as an artifact, in the name of the run and in the message of its state."""
    settings = load_settings(config_path(config))
    async with PrefectApi() as api:
        teller = Teller(api, collection=settings.collection)
        await tag_run(teller, settings)
        said = await act()
        did = "nothing done yet" if dry_run else "something is wrong" if needs_person else "done"
        await teller.publish(what, (markdown or said_markdown)(said), description=f"{what}: {did}")
        return await ended(teller, did, said, said, needs_person=needs_person)


def said_markdown(said: str) -> str:
    """What a command says in the terminal, as Markdown: each line as it is. Names and words of others are in it, so all
    of it is a block of code, which takes nothing for Markdown or HTML."""
    lines = said.splitlines()
    shown = [f"    {printable(line[:MAX_LINE_CHARS])}" for line in lines[:MAX_LINES]]
    if len(lines) > MAX_LINES:
        shown.append(f"    ... and {len(lines) - MAX_LINES} more lines")
    return "\n".join(shown) + "\n"

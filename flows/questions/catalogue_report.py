"""How the catalogue of assets is said: in the terminal, and as Markdown with the graph as a picture. What is true of an
asset stands in `catalogue`. Names of runs and of documents are untrusted, and are escaped.
"""

from collections.abc import Iterable

from assets.freshness import lines_of
from assets.pictures import as_markdown_image
from assets.reports import escape
from flows.questions.catalogue import AssetStanding, Catalogue, CheckResult, catalogue_svg, read_catalogue
from flows.questions.document import DocumentStanding, read_document
from flows.runtime.printable import printable, printable_json

FILES_ALONE = "Which runs made them, and what the Variables say, is not known"


async def assets_text(config: str | None, document: str | None = None) -> str:
    """``document``: only this one, such as ``CA:Lincoln:2023``. Raises QuireError."""
    if document is not None:
        return "\n".join(document_lines(await read_document(config, document)))
    return "\n".join(catalogue_lines(await read_catalogue(config)))


async def assets_json(config: str | None, document: str | None = None) -> str:
    """Raises QuireError."""
    found = await read_document(config, document) if document is not None else await read_catalogue(config)
    return printable_json(found.as_json())


async def assets_svg(config: str | None) -> str:
    """Raises QuireError."""
    return catalogue_svg((await read_catalogue(config)).assets)


def catalogue_lines(found: Catalogue) -> list[str]:
    lines = []
    for each in found.assets:
        lines.append(f"{each.name}: {each.state}" + (f": {each.said}" if each.said else ""))
        lines += [f"  from {', '.join(each.upstream)}"] if each.upstream else []
        if each.made_at is not None:
            lines.append(f"  made {_made(each)}" + (f" by the run {each.run.name}" if each.run else ""))
        lines += [f"  {_counts(each)}"] if each.counts else []
        lines += [f"  check {_check(check)}" for check in each.checks]
    if found.prefect_problem is not None:
        lines += ["", f"{FILES_ALONE}: {found.prefect_problem}"]
    return [printable(line) for line in lines]


def document_lines(found: DocumentStanding) -> list[str]:
    lines = [f"{found.document}: {found.pages:,} {'page' if found.pages == 1 else 'pages'} in the record manifest"]
    for each in found.assets:
        lines += lines_of(each)
    if found.prefect_problem is not None:
        lines += ["", f"This is what the files alone tell: {found.prefect_problem}"]
    return [printable(line) for line in lines]


def catalogue_markdown(found: Catalogue) -> str:
    """The picture, and a table of all assets."""
    name = f"Collection {escape(found.collection)}" if found.collection else "The collection"
    parts = [
        f"**{name}: its assets, as they stood at {found.at:%Y-%m-%d %H:%M} UTC.**",
        as_markdown_image(catalogue_svg(found.assets), "the graph of the assets"),
        "\n".join(_table(found.assets)),
        "What of one document is fresh, stale or missing: the deployment `assets` with `document`, or "
        "`quire assets --document`.",
    ]
    if found.prefect_problem is not None:
        parts.append(f"{FILES_ALONE}: {escape(found.prefect_problem)}")
    return "\n\n".join(parts) + "\n"


def _table(assets: Iterable[AssetStanding]) -> list[str]:
    lines = ["| Asset | State | Made from | Made last | Holds | Checks |", "| --- | --- | --- | --- | --- | --- |"]
    for each in assets:
        made = escape(_made(each)) if each.made_at is not None else ""
        made += f" by [{escape(each.run.name)}](/runs/flow-run/{escape_id(each.run.id)})" if each.run else ""
        state = escape(each.state + (f": {each.said}" if each.said else ""))
        checks = "; ".join(escape(_check(check)) for check in each.checks)
        from_ = ", ".join(escape(name) for name in each.upstream)
        lines.append(f"| {escape(each.name)} | {state} | {from_} | {made} | {escape(_counts(each))} | {checks} |")
    return lines


def escape_id(text: str) -> str:
    """An id as a part of an address."""
    return "".join(each for each in text if each.isalnum() or each == "-")


def _made(each: AssetStanding) -> str:
    return f"{each.made_at:%Y-%m-%d %H:%M} UTC" + (f", submission {each.version}" if each.version else "")


def _counts(each: AssetStanding) -> str:
    return ", ".join(f"{count:,} {what}" for what, count in each.counts.items())


def _check(check: CheckResult) -> str:
    if check.holds is None:
        return f"{check.name}: not known ({check.said})"
    return f"{check.name}: holds" if check.holds else f"{check.name}: broken, {check.said}"

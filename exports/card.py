"""The card of an exported data set: README.md, in the form that Hugging Face's hub reads."""

from exports.columns import table_schema
from exports.escaping import markdown
from exports.registry import Job
from exports.report import Exported

MAX_LISTED = 50


def card_text(job: Job, done: Exported) -> str:
    """What is in it, what made it, what that cost, whose it is. No time of its own, so that it is the same for the same
    pages."""
    lines = [
        "---",
        "configs:",
        "- config_name: default",
        '  data_files: "data/**/*.parquet"',
        "---",
        "",
        f"# {markdown(job.collection or 'Pages')}",
        "",
        f"Text of {done.pages:,} pages of {done.documents:,} documents, read from scans by a language model and "
        f"exported by Quire {job.version}. A row is a page.",
        "",
        "The text is a machine's: nobody has read it against the images, but where the columns `edited` and "
        "`correction` say so.",
        "",
        "## What made it",
        "",
        "| model and prompt | pages |",
        "|---|---|",
        *(f"| {markdown(name)} | {count:,} |" for name, count in list(done.models.items())[:MAX_LISTED]),
        "",
        f"Schema: {markdown(job.schema_name)}. The answers cost {done.usd:,.4f} US dollars, as far as that is known; "
        "the column `usd` has it of each page.",
        "",
        "## Rights",
        "",
        "What the IIIF manifests say that the images come from. It is said of the images; Quire knows no more.",
        "",
        "| rights | documents |",
        "|---|---|",
        *(_rights_line(said, count) for said, count in sorted(done.rights.items())[:MAX_LISTED]),
        "",
        "## Columns",
        "",
        "| column | type |",
        "|---|---|",
        *(f"| {markdown(name)} | {markdown(str(type_))} |" for name, type_ in _columns(job)),
        "",
        "`text` is all text of the page; the columns that begin with `result_` are those of today's schema, null where "
        "a page was read by another one; `result` is the whole result as JSON.",
    ]
    return "\n".join(lines) + "\n"


def _rights_line(said: str, count: int) -> str:
    return f"| {markdown(said) if said else 'nothing is said'} | {count:,} |"


def _columns(job: Job) -> list[tuple[str, object]]:
    schema = table_schema(job.schema, job.document_fields)
    return list(zip(schema.names, schema.types, strict=True))

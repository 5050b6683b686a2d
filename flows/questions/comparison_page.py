"""A comparison as one page of HTML, with the differences marked in the texts. Nothing is fetched, and nothing of what
was read is taken for HTML: another one's words show as they are.
"""

from collections.abc import Iterator
from html import escape

from assets.comparing import marked
from flows.questions.comparison import Findings, shown
from flows.runtime.printable import printable_lines

MAX_PAGES = 200
"""A page of HTML with more is slow to open."""
_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width"><title>{title}</title><style>
body {{ font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 90rem; padding: 0 1rem; }}
pre.table {{ overflow-x: auto; }} section {{ border-top: 1px solid gray; margin-top: 2rem; }}
.sides {{ display: grid; grid-template-columns: 1fr 1fr; gap: 1.5rem; }}
.text {{ white-space: pre-wrap; overflow-wrap: anywhere; }}
del {{ background: #fbd5d5; }} ins {{ background: #d3f2d3; text-decoration: none; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #181818; color: #eee; }} del {{ background: #6a2222; }}
ins {{ background: #1e5426; }} }}
</style></head><body>
"""
_TRUTH = "Against what a person has corrected or checked: <del>what should be there</del> <ins>what was read</ins>."
_EACH_OTHER = "Against the other reading: <ins>what the other has not</ins>."


def html_page(found: Findings) -> str:
    """The whole page, as text."""
    return "".join(_parts(found))


def _parts(found: Findings) -> Iterator[str]:
    title = f"Comparison {found.run.name}"
    yield _HEAD.format(title=_shown(title))
    yield f"<h1>{_shown(title)}</h1>\n<p>{_shown(found.advice)}</p>\n"
    yield f'<pre class="table">{_shown(shown(found))}</pre>\n'
    keys, more = most_different(found, MAX_PAGES)
    if more:
        yield f"<p>The {len(keys):,} pages on which the two differ most; {more:,} more are not shown.</p>"
    for key in keys:
        truth = found.truth.get(key)
        yield f"<section><h2>{_shown(key)}</h2>\n<p>{_TRUTH if truth is not None else _EACH_OTHER}</p>"
        yield '<div class="sides">'
        texts = [side.texts.get(key) for side in found.sides]
        for side, text, other in zip(found.sides, texts, reversed(texts), strict=True):
            yield f"<div><h3>{side.name}: {_shown(side.words)}</h3>"
            if text is None:
                yield "<p>It has no result.</p></div>"
                continue
            yield f'<div class="text">{_marked(truth, other, text)}</div></div>'
        yield "</div></section>\n"
    yield "</body></html>\n"


def most_different(found: Findings, at_most: int) -> tuple[list[str], int]:
    """The pages on which two sides differ most, in their order, and how many are left out. What only one side has read
    comes before all else."""
    texts = [side.texts for side in found.sides]
    keys, both = sorted(set().union(*texts)), sorted(set(texts[0]).intersection(texts[1]))
    agreement = found.comparison.agreement
    by_page = dict(zip(both, agreement.by_page.tolist(), strict=True)) if agreement is not None else {}
    chosen = sorted(keys, key=lambda key: by_page.get(key, -1.0))[:at_most]
    return sorted(chosen), len(keys) - len(chosen)


def differences(truth: str | None, other: str | None, text: str) -> list[tuple[str, str]]:
    """A text in parts, each with what it is: "same"; "read", which is not in the truth, or where there is none, not in
    the other reading; "missing", which is in the truth alone."""
    if truth is None and other is None:
        return [("same", text)]
    parts = list[tuple[str, str]]()
    for kind, was, now in marked(truth if truth is not None else other or "", text):
        if kind == "same":
            parts.append(("same", now))
            continue
        parts += [("missing", was)] if truth is not None and was else []
        parts += [("read", now)] if now else []
    return parts


def _marked(truth: str | None, other: str | None, text: str) -> str:
    tags = {"same": "{}", "read": "<ins>{}</ins>", "missing": "<del>{}</del>"}
    return "".join(tags[kind].format(_shown(part)) for kind, part in differences(truth, other, text))


def _shown(text: str) -> str:
    return escape(printable_lines(text))

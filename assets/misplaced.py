"""Images at another depth than the settings say, in a line for a person however many there are. Each file is a line of
the list of what is left out; what lies there where not a page is found stands in `flows.terminal.nothing_found`.
"""

import re
from collections.abc import Iterable, Sequence

from assets.sources import IMAGE_SUFFIXES, SourceProblem

TOO_DEEP = "a folder where images are expected: what lies in it is too deep for record.document_fields"
_TOO_HIGH = re.compile(r"a file where folders of ([0-9]+) more levels? are expected")


def too_high(levels: int) -> str:
    """What to say of a file that lies so many levels too high."""
    return f"a file where folders of {levels} more level{'s' * (levels > 1)} are expected"


def misplaced_notes(problems: Iterable[SourceProblem], document_fields: Sequence[str]) -> list[str]:
    """``problems``: of the walk of the page images; ``document_fields``: as they are set, [] for images in no
    folder."""
    high: dict[int, list[str]] = {}
    deep = []
    for problem in problems:
        if problem.reason == TOO_DEEP:
            deep.append(problem.path)
        elif (match := _TOO_HIGH.fullmatch(problem.reason)) is not None and _is_image(problem.path):
            high.setdefault(int(match[1]), []).append(problem.path)
    rule = f"record.document_fields is [{', '.join(document_fields)}], a folder for each"
    notes = [
        f"{_counted(len(paths), 'image lies', 'images lie')} {_counted(levels, 'level', 'levels')} too high, such as "
        f"{min(paths)}: {rule}"
        for levels, paths in sorted(high.items())
    ]
    if deep:
        lie = _counted(len(deep), "folder lies", "folders lie")
        notes.append(f"{lie} where images are expected, one level too deep, such as {min(deep)}: {rule}")
    return notes


def _is_image(path: str) -> bool:
    return path.rpartition(".")[2].lower() in IMAGE_SUFFIXES


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"

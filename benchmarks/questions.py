"""What a person asks of a collection of a million pages that 20,000 submissions have read, against ``quire status`` of
one with 1,000 pages. Each side is a whole process beside a Prefect server, as in `idle`.
"""

import sys
from pathlib import Path

from benchmarks.idle import PREPARE, QUICK, SIZE, measured_beside_prefect
from benchmarks.rows import Bar, Row

KEY = "CA:School00003:1900:50"


def _row(command: str) -> Row:
    return Row(
        f"question-{command}",
        f"quire {command}, {{records}} records, {{many}} submissions",
        "quire status with 1,000 records",
        (Bar(1.5),),
        ("-m", "benchmarks.questions", command, "{data}/long"),
        ("-m", "benchmarks.questions", "status", "{data}/small"),
        prepare=PREPARE,
        size=SIZE,
        quick=QUICK,
    )


ROWS = [_row(command) for command in ("status", "why", "estimate")]


if __name__ == "__main__":
    words = {"why": ["why", KEY]}.get(sys.argv[1], [sys.argv[1]])
    measured_beside_prefect(Path(sys.argv[2]), words)

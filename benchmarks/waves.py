"""How long a shelf of long books takes by the way of its context: a simulation (`benchmarks.simulation.world`), so
the clock that is compared is the virtual one. 1,000 books of 300 pages, each job takes 2 hours, 100 at once; a pass
looks each minute.

With ``previous_result`` there are 300 rounds, as page 300 waits for 299 others. With ``previous_image`` nobody waits,
and what is left is how many fit at once: 300,000 pages in 100 jobs of 500 are six rounds. ``max_chain: 20`` takes 20.
"""

import sys

from benchmarks.measuring import measured
from benchmarks.rows import Bar, Row

_HOURS = "simulated_hours"
_THEIRS = ("-m", "benchmarks.waves", "{books}", "{pages}", "previous_result")


def _row(name: str, ways: tuple[str, ...], work: str, bar: float) -> Row:
    return Row(
        name=name,
        work=work,
        against="`previous_result`, a wave for each page",
        bars=(Bar(bar, of=_HOURS, unit="times the simulated hours"),),
        ours=("-m", "benchmarks.waves", "{books}", "{pages}", *ways),
        theirs=_THEIRS,
        size={"books": 1000, "pages": 300},
        quick={"books": 100, "pages": 100},
        repeats=1,
        quick_repeats=1,
    )


ROWS = (
    _row("waves-image", ("previous_image",), "simulated makespan, `previous_image`", 1 / 50),
    _row("waves-cut", ("previous_result", "20"), "simulated makespan, `max_chain: 20`", 1 / 10),
)


def main(books: int, pages: int, mode: str, max_chain: int | None) -> None:
    from assets.candidates import RunRules
    from assets.context import ContextMode
    from benchmarks.simulation.world import Quotas, Service, World, collection

    rules = RunRules(3, ContextMode(mode), "wait", max_chain)
    with measured() as figures:
        course = World(collection(books, pages), rules, Service(), Quotas(), pass_hours=1 / 60).run()
        figures |= {_HOURS: course.hours, "waves": course.waves, "batches": course.batches, "n": course.done}


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]) if len(sys.argv) > 4 else None)

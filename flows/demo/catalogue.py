"""The catalogues of the demo as a flow of blocks, put together from the stock in ``text`` by a seeded generator.

No pages here: ``typeset`` breaks the flow into pages, ``corpus`` writes them as scans.
"""

from dataclasses import dataclass

import numpy as np

from flows.demo import text


@dataclass(frozen=True, slots=True)
class Heading:
    """A centred heading. ``level``: 1 for a part, 2 for a section of it."""

    text: str
    level: int


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Justified text."""

    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells. ``leaders``: dots lead from the first cell to the last; they are no part of the text."""

    rows: tuple[tuple[str, ...], ...]
    leaders: bool = False


@dataclass(frozen=True, slots=True)
class Items:
    """One item a line. ``columns``: 1, or 2 for a list that is read down the left column first."""

    items: tuple[str, ...]
    columns: int = 1


Block = Heading | Paragraph | Table | Items


@dataclass(frozen=True, slots=True)
class Catalogue:
    """One document before it is set.

    ``even_head`` and ``odd_head``: the running heads. ``folio``: where the page number stands, ``head`` or ``foot``.
    """

    state: str
    school: str
    year: int
    even_head: str
    odd_head: str
    folio: str
    first_page_number: int
    blocks: tuple[Block, ...]


def catalogues(seed: int) -> tuple[Catalogue, ...]:
    """The documents of the demo. The same seed gives the same text."""
    return tuple(_catalogue(college, np.random.default_rng([seed, n])) for n, college in enumerate(text.COLLEGES))


def _catalogue(college: text.College, rng: np.random.Generator) -> Catalogue:
    blocks: list[Block] = []
    for name in college.sections:
        blocks += _section(name, college, rng)
    return Catalogue(
        state=college.state,
        school=college.school,
        year=college.year,
        even_head="CATALOGUE OF",
        odd_head=f"{college.full_name.upper()}.",
        folio=college.folio,
        first_page_number=college.first_page_number,
        blocks=tuple(blocks),
    )


def _section(name: str, college: text.College, rng: np.random.Generator) -> list[Block]:
    if name in text.PROSE:
        return _prose(name, college, rng)
    make = {
        "officers": _officers,
        "course": _course,
        "students": _students,
        "alumni": _alumni,
        "expenses": _expenses,
        "calendar": _calendar,
    }[name]
    return make(college, rng)


def _prose(name: str, college: text.College, rng: np.random.Generator) -> list[Block]:
    title, sentences = text.PROSE[name]
    chosen = [sentences[i].format(name=college.full_name, town=college.town) for i in rng.permutation(len(sentences))]
    cut = int(rng.integers(2, 4))
    return [Heading(title, 2), Paragraph(" ".join(chosen[:cut])), Paragraph(" ".join(chosen[cut:]))]


def _officers(college: text.College, rng: np.random.Generator) -> list[Block]:
    items = [f"Rev. {_name(college, rng, gentlemen=True)}, D.D., President."]
    chairs = sorted(rng.choice(len(text.CHAIRS), 7, replace=False))
    items += [f"{_name(college, rng, gentlemen=True)}, A.M., {text.CHAIRS[chair]}" for chair in chairs]
    return [Heading("FACULTY AND OFFICERS.", 1), Items(tuple(items))]


def _course(_: text.College, rng: np.random.Generator) -> list[Block]:
    blocks: list[Block] = [Heading("COURSE OF STUDY.", 1)]
    picks = list(rng.permutation(len(text.STUDIES)))
    for year in ("FIRST YEAR.", "SECOND YEAR.", "THIRD YEAR."):
        rows = [(term, *text.STUDIES[picks.pop()]) for term in ("1st Term.", "2d Term.", "3d Term.") for _n in range(2)]
        blocks += [Heading(year, 2), Table(tuple(rows))]
    blocks.append(Paragraph("Exercises in declamation and in English composition are continued through the course."))
    return blocks


def _students(college: text.College, rng: np.random.Generator) -> list[Block]:
    rows = tuple(
        (_name(college, rng), _pick(text.TOWNS, rng) + ",", _pick(("N. H.", "C. H.", "S. H."), rng) + f" {room}")
        for room in rng.integers(1, 60, 11)
    )
    return [Heading(_pick(("SENIOR CLASS.", "JUNIOR CLASS.", "FIRST CLASS."), rng), 2), Table(rows)]


def _alumni(college: text.College, rng: np.random.Generator) -> list[Block]:
    blocks: list[Block] = [Heading("GRADUATES.", 1)]
    for year in (college.year - 3, college.year - 2):
        names = sorted(f"{_name(college, rng)}, {_pick(text.TOWNS, rng)}." for _n in range(16))
        blocks += [Heading(f"{year}.", 2), Items(tuple(names), columns=2)]
    blocks.append(Paragraph("Graduates are requested to give notice to the Secretary of any error in this list."))
    return blocks


def _expenses(college: text.College, rng: np.random.Generator) -> list[Block]:
    rows = []
    for charge in sorted(rng.choice(len(text.CHARGES), 8, replace=False)):
        label, low, high = text.CHARGES[charge]
        rows.append((label, f"${int(rng.integers(low, high + 1))}.{int(rng.choice([25, 50, 75]))}"))
    note = (
        f"Bills are paid to the Treasurer of {college.full_name} one half in advance, and the remainder at the middle "
        "of the term. No deduction is made for absence, except in case of sickness that lasts more than four weeks."
    )
    return [Heading("EXPENSES.", 2), Table(tuple(rows), leaders=True), Paragraph(note)]


def _calendar(college: text.College, rng: np.random.Generator) -> list[Block]:
    rows = tuple(text.EVENTS[i] for i in sorted(rng.choice(len(text.EVENTS), 9, replace=False)))
    return [Heading(f"CALENDAR FOR {college.year}.", 2), Table(rows)]


def _name(college: text.College, rng: np.random.Generator, *, gentlemen: bool = False) -> str:
    first = _pick(text.LADIES if "Female" in college.full_name and not gentlemen else text.FIRST_NAMES, rng)
    middle = f" {_pick(tuple('ABCDEFGHLMPRSTW'), rng)}." if rng.random() < 0.5 else ""
    return f"{first}{middle} {_pick(text.LAST_NAMES, rng)}"


def _pick(stock: tuple[str, ...], rng: np.random.Generator) -> str:
    return stock[int(rng.integers(len(stock)))]

"""Images at another depth than the settings say are one line, however many there are."""

from assets.misplaced import TOO_DEEP, misplaced_notes, too_high
from assets.sources import SourceProblem


def test_a_line_for_each_way_to_be_misplaced() -> None:
    problems = [
        *(SourceProblem(f"scans/a/{page}.jpg", too_high(1)) for page in range(1, 6)),
        SourceProblem("scans/1.tif", too_high(2)),
        SourceProblem("scans/readme.txt", too_high(2)),
        SourceProblem("scans/a/b/c", TOO_DEEP),
        SourceProblem("scans/a/b/notes.txt", "no page image"),
    ]

    rule = "record.document_fields is [box, folder], a folder for each"
    assert misplaced_notes(problems, ["box", "folder"]) == [
        f"5 images lie 1 level too high, such as scans/a/1.jpg: {rule}",
        f"1 image lies 2 levels too high, such as scans/1.tif: {rule}",
        f"1 folder lies where images are expected, one level too deep, such as scans/a/b/c: {rule}",
    ]
    assert misplaced_notes(problems[-1:], ["box"]) == []

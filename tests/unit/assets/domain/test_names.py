"""Names that a file system without capitals takes for one."""

from assets.domain.names import meeting_documents


def test_documents_meet_where_a_folder_of_theirs_differs_in_capitals_alone() -> None:
    kent, other_year, loud = ("CA", "Kent", "1901"), ("CA", "Kent", "1902"), ("CA", "KENT", "1903")
    assert meeting_documents([kent, other_year, loud, ("CA", "Lincoln", "1901"), ("NY", "KENT", "1901")]) == {
        kent: ("CA", "KENT"),
        other_year: ("CA", "KENT"),
        loud: ("CA", "Kent"),
    }


def test_letters_beyond_ascii_meet_too() -> None:
    assert set(meeting_documents([("École",), ("école",), ("Straße",), ("STRASSE",)])) == {
        ("École",),
        ("école",),
        ("Straße",),
        ("STRASSE",),
    }


def test_another_coding_of_the_same_letters_meets_too() -> None:
    composed, decomposed = ("\u00c9cole",), ("e\u0301cole",)
    assert meeting_documents([composed, decomposed]) == {composed: decomposed, decomposed: composed}


def test_nothing_meets_itself() -> None:
    assert meeting_documents([("CA", "Kent"), ("CA", "Kent"), ("kent", "CA")]) == {}

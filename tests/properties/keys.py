"""Record keys for property tests: any text that is a safe field or label, pages that often are neighbours."""

from hypothesis import strategies as st

from assets.domain.errors import RecordKeyError
from assets.domain.labels import is_canonical
from assets.domain.record import check_field


def _is_field(text: str) -> bool:
    try:
        return check_field(text) == text
    except RecordKeyError:
        return False


fields = st.one_of(
    st.sampled_from(["CA", "TX", "Lincoln", "Peñón High", "Lincoln 2", "1901-02", "東京", '"quoted"']),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(_is_field),
)
documents = st.tuples(fields, fields, fields).map(":".join)
pages = st.one_of(st.integers(0, 30), st.integers(1, 2**31 - 1))
_numbers = st.integers(0, 15).map(str)
labels = st.one_of(
    pages.map(str),
    st.builds("{}{}".format, _numbers, st.sampled_from(["r", "v", "a", "A", "b", ".1", ".2"])),
    st.builds("{}{}-{}{}".format, _numbers, st.sampled_from(["", "r", "v", "a"]), _numbers, st.sampled_from(["", "r"])),
    st.sampled_from(["i", "iv", "IV", "xii", "iiii", "iv-v", "c", "cover", "back-2", "map-2", "A3", "a3", "A3r", "ñ"]),
    st.integers(2**31 - 2, 10**15).map(str),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8).filter(is_canonical),
)
keys = st.builds("{}:{}".format, documents, labels)
clustered_keys = st.lists(documents, min_size=1, max_size=4, unique=True).flatmap(
    lambda few: st.lists(
        st.builds("{}:{}".format, st.sampled_from(few), st.one_of(st.integers(1, 40), labels)),
        unique=True,
        max_size=120,
    )
)
"""Unique keys of a few documents, with many neighbours."""

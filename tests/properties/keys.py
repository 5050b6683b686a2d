"""Record keys for property tests: any text that is a safe field, pages that often are neighbours."""

from hypothesis import strategies as st

from assets.domain.errors import RecordKeyError
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
pages = st.one_of(st.integers(1, 30), st.integers(1, 2**31 - 1))
keys = st.builds(lambda document, page: f"{document}:{page}", documents, pages)
clustered_keys = st.lists(documents, min_size=1, max_size=4, unique=True).flatmap(
    lambda few: st.lists(
        st.builds(lambda document, page: f"{document}:{page}", st.sampled_from(few), st.integers(1, 40)),
        unique=True,
        max_size=120,
    )
)
"""Unique keys of a few documents, with many neighbours."""

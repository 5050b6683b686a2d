"""What a person types into the field of the search, as FTS5 understands it: words that must all be there, ``"words in a
row"``, ``begin*``, and ``-word`` for one that must not be there. Nothing else means anything. Pure.
"""

import re

_TERM = re.compile(r'(-?)(?:"([^"]*)"?|(\S+))')
_WORD = re.compile(r"\w")
MAX_TERMS = 20


def fts_query(typed: str) -> str:
    """ "" where nothing is looked for."""
    wanted, unwanted = list[str](), list[str]()
    for minus, phrase, word in _TERM.findall(typed)[:MAX_TERMS]:
        text = phrase or word
        is_beginning = not phrase and text.endswith("*")
        # What has neither a letter nor a number is no word of the index, and would find nothing.
        if _WORD.search(text):
            said = '"{}"{}'.format(text.rstrip("*").replace('"', '""').replace("\0", " "), "*" if is_beginning else "")
            (unwanted if minus else wanted).append(said)
    if not wanted:
        return ""
    query = " AND ".join(wanted)
    return f"({query}) NOT ({' OR '.join(unwanted)})" if unwanted else query

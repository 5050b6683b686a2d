"""The text of all results in a file of SQLite with its full-text index: ``manifests/index/search.sqlite``. Derived: it
may be deleted at any time, and is made anew; it grows by results that are new or changed, and those that are gone leave
it. What a person types is understood in `viewer.query`.

One process at a time adds to it, under a lock; others read what is there.
"""

import fcntl
import sqlite3
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from assets.domain.errors import ManifestError
from assets.domain.record import SEPARATOR
from assets.domain.result_form import result_in
from assets.result_files import ResultFiles
from flows.gateways.files.storage import Storage
from viewer.blocks import count_words, searchable

FORM = 1
"""Another number, and the index is made anew."""
OPEN_MARK, CLOSE_MARK = "\ue000", "\ue001"
"""Stand around what was found, in a snippet: two characters of nobody's, which no text of the index has."""
SNIPPET_WORDS = 28
COUNTED = 10_000
"""So many hits are counted; more are told as more."""
RANKED = 2_000
"""So many hits are put in order by how well they fit; more come in the order in which they were read."""
_TABLES = """
CREATE TABLE documents (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, stamp INTEGER NOT NULL);
CREATE TABLE pages (
    id INTEGER PRIMARY KEY, document INTEGER NOT NULL, label TEXT NOT NULL, bytes INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL, words INTEGER NOT NULL, UNIQUE (document, label)
);
CREATE VIRTUAL TABLE texts USING fts5(text, tokenize = "unicode61 remove_diacritics 2");
"""


@dataclass(frozen=True, slots=True)
class Hit:
    """``snippet``: with OPEN_MARK and CLOSE_MARK around what was found."""

    record_key: str
    snippet: str


class TextIndex:
    """``path``: of the file; a folder that cannot be written to has none, and a temporary one serves this process."""

    def __init__(self, folder: Path) -> None:
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.path = folder / "search.sqlite"
            self._expect_form()
        except (OSError, sqlite3.DatabaseError):
            self._temporary = tempfile.TemporaryDirectory(prefix="quire-view-")
            self.path = Path(self._temporary.name) / "search.sqlite"
            self._expect_form()

    def close(self) -> None:
        if self._temporary is not None:
            self._temporary.cleanup()

    # --- growing

    def update(self, storage: Storage, files: ResultFiles, on_document: Callable[[int], None] = lambda _: None) -> bool:
        """Bring it up to date with the results that lie there. ``on_document``: is told how many results are in it so
        far, and may raise to stop. False: another process is at it. Raises OSError, sqlite3.Error."""
        with self._alone() as is_ours:
            if not is_ours:
                return False
            with closing(self._connect()) as base:
                wanted = dict(_stamps(files))
                known = dict(base.execute("SELECT name, stamp FROM documents"))
                for name in known.keys() - wanted.keys():
                    _forget(base, name)
                rows = _slices(files)
                for name, stamp in wanted.items():
                    if known.get(name) != stamp:
                        first, end = rows[name]
                        _index_document(base, storage, name, stamp, files, first, end)
                    on_document(rows[name][1])
        return True

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        with self.path.with_suffix(".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False
                return
            yield True

    # --- reading

    def count(self) -> int:
        """How many pages are in it."""
        with self._read() as base:
            (found,) = base.execute("SELECT count(*) FROM pages").fetchone()
        return int(found)

    def words_of(self, document: str) -> dict[str, int]:
        """Label -> words, of the pages of a document that are in it."""
        with self._read() as base:
            return dict(
                base.execute(
                    "SELECT label, words FROM pages WHERE document = (SELECT id FROM documents WHERE name = ?)",
                    (document,),
                )
            )

    def hits(self, query: str, documents: Sequence[str] | None = None) -> tuple[int, Iterator[list[str]]]:
        """How many pages a query of FTS5 finds, COUNTED + 1 for more, and their record keys, some at a time.
        ``documents``: in these alone. Raises sqlite3.Error."""
        with self._read() as base:
            where, values = _within(base, documents)
            limit = COUNTED + 1
            (count,) = base.execute(
                f"SELECT count(*) FROM (SELECT 1 FROM texts WHERE texts MATCH ?{where} LIMIT {limit})",  # noqa: S608
                (query, *values),
            ).fetchone()
        return int(count), self._keys(query, where, values, is_ranked=count <= RANKED)

    def _keys(self, query: str, where: str, values: Sequence[int], *, is_ranked: bool) -> Iterator[list[str]]:
        order = "rank" if is_ranked else "rowid"
        with self._read() as base:
            cursor = base.execute(
                f"SELECT rowid FROM texts WHERE texts MATCH ?{where} ORDER BY {order}",  # noqa: S608
                (query, *values),
            )
            while ids := [row[0] for row in cursor.fetchmany(500)]:
                yield _keys_of(base, ids)

    def snippets(self, query: str, record_keys: Sequence[str]) -> list[Hit]:
        """Of those pages that are in it, in their order. Raises sqlite3.Error."""
        found = []
        with self._read() as base:
            for key in record_keys:
                document, _, label = key.rpartition(SEPARATOR)
                row = base.execute(
                    "SELECT snippet(texts, 0, ?, ?, ' … ', ?) FROM texts WHERE texts MATCH ? AND rowid = (SELECT p.id "
                    "FROM pages p JOIN documents d ON d.id = p.document WHERE d.name = ? AND p.label = ?)",
                    (OPEN_MARK, CLOSE_MARK, SNIPPET_WORDS, query, document, label),
                ).fetchone()
                if row is not None:
                    found.append(Hit(key, row[0]))
        return found

    # --- the file

    def _expect_form(self) -> None:
        """Make the tables; what is damaged or of another form is removed."""
        try:
            with closing(self._connect()) as base:
                if base.execute("PRAGMA user_version").fetchone()[0] == FORM:
                    return
        except sqlite3.DatabaseError:
            pass
        for suffix in ("", "-journal", "-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)
        with closing(self._connect()) as base:
            base.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {FORM}; COMMIT;")

    def _connect(self) -> sqlite3.Connection:
        # A cut of the power may cost the index, which is made anew.
        base = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        base.executescript("PRAGMA synchronous = OFF; PRAGMA cache_size = -65536;")
        return base

    @contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True, timeout=30)) as base:
            yield base


def _stamps(files: ResultFiles) -> Iterator[tuple[str, int]]:
    """Document -> a sum over labels, sizes and times of its results."""
    sizes, times = files.bytes.to_numpy(), files.modified_ns.to_numpy()
    for name, (first, end) in _slices(files).items():
        labels = "\n".join(files.labels.slice(first, end - first).to_pylist())
        yield (
            name,
            zlib.crc32(times[first:end].tobytes(), zlib.crc32(sizes[first:end].tobytes(), zlib.crc32(labels.encode()))),
        )


def _slices(files: ResultFiles) -> dict[str, tuple[int, int]]:
    offsets = files.offsets.to_numpy().tolist()
    return dict(zip(files.documents.to_pylist(), pairwise(offsets), strict=True))


def _index_document(
    base: sqlite3.Connection, storage: Storage, name: str, stamp: int, files: ResultFiles, first: int, end: int
) -> None:
    """In one transaction: it is as it lies there, or as it was."""
    there = {
        label: (size, time)
        for label, size, time in zip(
            files.labels.slice(first, end - first).to_pylist(),
            files.bytes.slice(first, end - first).to_pylist(),
            files.modified_ns.slice(first, end - first).to_pylist(),
            strict=True,
        )
    }
    base.execute("BEGIN IMMEDIATE")
    try:
        base.execute("INSERT OR IGNORE INTO documents (name, stamp) VALUES (?, 0)", (name,))
        (document,) = base.execute("SELECT id FROM documents WHERE name = ?", (name,)).fetchone()
        known = {
            label: (number, size, time)
            for number, label, size, time in base.execute(
                "SELECT id, label, bytes, modified_ns FROM pages WHERE document = ?", (document,)
            )
        }
        gone = [known[label][0] for label in known if there.get(label) != known[label][1:]]
        _remove(base, gone)
        for label, (size, time) in there.items():
            if label in known and known[label][1:] == (size, time):
                continue
            text = _text_of(storage, f"{name}{SEPARATOR}{label}")
            added = base.execute(
                "INSERT INTO pages (document, label, bytes, modified_ns, words) VALUES (?, ?, ?, ?, ?)",
                (document, label, size, time, count_words(text)),
            ).lastrowid
            base.execute("INSERT INTO texts (rowid, text) VALUES (?, ?)", (added, text))
        base.execute("UPDATE documents SET stamp = ? WHERE id = ?", (stamp, document))
        base.execute("COMMIT")
    except BaseException:
        base.execute("ROLLBACK")
        raise


def _forget(base: sqlite3.Connection, name: str) -> None:
    base.execute("BEGIN IMMEDIATE")
    ids = base.execute("SELECT p.id FROM pages p JOIN documents d ON d.id = p.document WHERE d.name = ?", (name,))
    _remove(base, [each for (each,) in ids.fetchall()])
    base.execute("DELETE FROM documents WHERE name = ?", (name,))
    base.execute("COMMIT")


def _remove(base: sqlite3.Connection, ids: Sequence[int]) -> None:
    rows = [(each,) for each in ids]
    base.executemany("DELETE FROM texts WHERE rowid = ?", rows)
    base.executemany("DELETE FROM pages WHERE id = ?", rows)


def _text_of(storage: Storage, record_key: str) -> str:
    """ "" of what cannot be read now, or is no JSON: the page itself says so."""
    try:
        content = storage.read_result(record_key)
    except (OSError, ManifestError):
        return ""
    result = result_in(content)[0] if content is not None else None
    text = "" if result is None else searchable(result)
    # Half a character is none of UTF-8, and the marks are ours.
    text = text.encode(errors="replace").decode()
    return text.replace(OPEN_MARK, "\ufffd").replace(CLOSE_MARK, "\ufffd")


def _within(base: sqlite3.Connection, documents: Sequence[str] | None) -> tuple[str, list[int]]:
    """A document's pages mostly stand beside each other."""
    if documents is None:
        return "", []
    ids = [row[0] for each in documents for row in base.execute("SELECT id FROM documents WHERE name = ?", (each,))]
    spans = [base.execute("SELECT min(id), max(id) FROM pages WHERE document = ?", (each,)).fetchone() for each in ids]
    found = np.array([each for each in spans if each[0] is not None], dtype=np.int64).reshape(-1, 2)
    if not len(found):
        return " AND rowid < 0", []
    return " AND rowid BETWEEN ? AND ?", [int(found[:, 0].min()), int(found[:, 1].max())]


def _keys_of(base: sqlite3.Connection, ids: Sequence[int]) -> list[str]:
    """In the order of ``ids``."""
    marks = ",".join("?" * len(ids))
    rows = base.execute(
        f"SELECT p.id, d.name, p.label FROM pages p JOIN documents d ON d.id = p.document WHERE p.id IN ({marks})",  # noqa: S608
        tuple(ids),
    )
    names = {number: f"{name}{SEPARATOR}{label}" for number, name, label in rows}
    return [names[each] for each in ids if each in names]

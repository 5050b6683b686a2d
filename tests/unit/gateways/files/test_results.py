"""Which records are done: what has a result where it would be looked for. The walk and the reader say the same, and
what cannot be read is never taken for empty.
"""

import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from assets.domain.errors import ManifestError
from flows.gateways.files.results import MAX_RESULT_BYTES, walk_documents, walk_results
from flows.gateways.files.storage import Storage
from flows.gateways.ports import TEMPORARY_PREFIX

ROOT = Path(__file__).parents[4]
KEY = "CA:Lincoln:2023:4"
PLACE = "CA/Lincoln/2023/4.json"
NFC, NFD = (unicodedata.normalize(form, "Peñón") for form in ("NFC", "NFD"))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return tmp_path / "results"


def put(tree: Path, name: str, content: bytes = b"{}") -> Path:
    path = tree / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def storage_of(tree: Path) -> Storage:
    return Storage(
        root=tree.parent,
        manifests=tree.parent / "manifests",
        output_results=tree,
        document_fields=("state", "school", "year"),
    )


def test_a_folder_that_is_not_there_has_no_results(tree: Path) -> None:
    assert walk_results(tree, depth=3) == []


def test_results_come_by_document_in_the_order_of_the_record_manifest(tree: Path) -> None:
    for label in ("10", "9", "iv", "9r"):
        put(tree, f"CA/Lincoln/2023/{label}.json", b"{}")
    put(tree, "AL/Ada/1900/1.json", b"{}")
    put(tree, "CA/Lincoln/2024/1.json", b"")

    found = walk_documents(tree, depth=3)

    assert found.documents.to_pylist() == ["AL:Ada:1900", "CA:Lincoln:2023"], "a document without a result is none"
    assert found.offsets.to_pylist() == [0, 1, 5]
    assert found.labels.to_pylist() == ["1", "9", "10", "9r", "iv"]
    assert found.table()["record_key"].to_pylist()[1:3] == ["CA:Lincoln:2023:9", "CA:Lincoln:2023:10"]
    assert found.bytes.to_pylist() == [2] * 5
    last = tree / "CA/Lincoln/2023/iv.json"
    assert found.modified_ns.to_pylist()[4] == last.stat().st_mtime_ns


def test_done_is_what_has_a_non_empty_result(tree: Path) -> None:
    document = "CA/Lincoln/2023"
    put(tree, f"{document}/4.json", b"{}")
    put(tree, f"{document}/10.json", b"no JSON, but a result: judging is done when it is written")
    put(tree, f"{document}/5.json", b"")
    put(tree, f"{document}/006.json", b"{}")
    put(tree, f"{document}/00.json", b"{}")
    put(tree, f"{document}/.4.json", b"{}")
    put(tree, f"{document}/7.json.bak", b"{}")
    put(tree, f"{document}/8.JSON", b"{}")
    put(tree, f"{document}/12.1.json", b"{}")
    put(tree, f"{document}/012r.json", b"{}")
    put(tree, f"{document}/cover.json", b"{}")
    put(tree, f"{document}/{TEMPORARY_PREFIX}0011223344556677", b"{}")
    (tree / document / "11.json").symlink_to("nowhere.json")
    put(tree, "CA/12.json", b"{}")
    put(tree, "CA/Lin:coln/2023/13.json", b"{}")
    found = [f"CA:Lincoln:2023:{label}" for label in ("10", "12.1", "4", "cover")]
    assert sorted(walk_results(tree, depth=3)) == found


def test_a_result_counts_where_it_would_be_looked_for(tree: Path) -> None:
    put(tree, f"CA/{NFD}/2023/1.json", b"{}")
    assert walk_results(tree, depth=3) == [], "nobody would find it there when the next page needs it"
    put(tree, f"CA/{NFC}/2023/2.json", b"{}")
    assert walk_results(tree, depth=3) == [f"CA:{NFC}:2023:2"], "and the other folder does not hide this one"


def test_a_label_counts_as_it_is_composed_where_it_would_be_looked_for(tree: Path) -> None:
    put(tree, f"CA/Lincoln/2023/{NFD}.json", b"{}")
    assert walk_results(tree, depth=3) == [], "this file system takes the two names for two"
    put(tree, f"CA/Lincoln/2023/{NFC}.json", b"{}")
    assert walk_results(tree, depth=3) == [f"CA:Lincoln:2023:{NFC}"]


@pytest.mark.parametrize("place", ["CA", "CA/Lincoln", "CA/Lincoln/2023", "CA/Lincoln/2023/4.json"])
@pytest.mark.parametrize("is_there", [True, False], ids=["there", "nothing there"])
def test_a_link_that_leads_out_of_the_results_is_named(tmp_path: Path, place: str, is_there: bool) -> None:
    tree, elsewhere = tmp_path / "results", tmp_path / "results-of-others"
    if is_there:
        put(elsewhere, "CA/Lincoln/2023/4.json", b"{}")
    link = tree / place
    link.parent.mkdir(parents=True)
    link.symlink_to(elsewhere / place)
    said = f"{link}: a symbolic link leads out of {tree} here; put a folder or a file in its place"
    with pytest.raises(ManifestError, match=f"^{re.escape(said)}$"):
        walk_results(tree, depth=3)


def test_links_within_the_results_are_followed_and_their_folder_may_be_one(tmp_path: Path) -> None:
    put(tmp_path / "share", "CA/Lincoln/2023/4.json", b"{}")
    (tmp_path / "share/CA/Adams").symlink_to("Lincoln")
    (tmp_path / "share/CA/Lincoln/2023/5.json").symlink_to("4.json")
    (tmp_path / "results").symlink_to("share")
    found = walk_results(tmp_path / "results", depth=3)
    assert sorted(found) == [f"CA:{school}:2023:{page}" for school in ("Adams", "Lincoln") for page in (4, 5)]


def make_empty(path: Path) -> None:
    path.touch()


def make_link_to_nothing(path: Path) -> None:
    path.symlink_to("nowhere.json")


def make_folder(path: Path) -> None:
    path.mkdir()


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(MAX_RESULT_BYTES + 1)


@pytest.mark.parametrize("make", [make_empty, make_link_to_nothing])
def test_what_is_not_done_is_so_for_the_walk_and_the_reader(tree: Path, make: Callable[[Path], None]) -> None:
    make(put(tree, "CA/Lincoln/2023/5.json").with_name("4.json"))
    assert walk_results(tree, depth=3) == ["CA:Lincoln:2023:5"]
    assert storage_of(tree).read_result(KEY) is None


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (make_folder, "is a folder where a result belongs; move it away"),
        (make_pipe, "is no file; delete it"),
        (make_huge, f"has {MAX_RESULT_BYTES + 1:,} bytes, more than any result; delete it"),
    ],
)
def test_what_is_in_the_way_of_a_result_is_named_by_the_walk_and_the_reader(
    tree: Path, make: Callable[[Path], None], words: str
) -> None:
    path = put(tree, "CA/Lincoln/2023/5.json").with_name("4.json")
    make(path)
    said = f"^{re.escape(f'{path}: {words}')}$"
    with pytest.raises(ManifestError, match=said):
        walk_results(tree, depth=3)
    for act in (storage_of(tree).read_result, lambda key: storage_of(tree).write_result(key, b"[]")):
        with pytest.raises(ManifestError, match=said):
            act(KEY)


@pytest.mark.parametrize("place", ["CA", "CA/Lincoln", "CA/Lincoln/2023", PLACE])
def test_a_link_that_leads_to_itself_is_named(tree: Path, place: str) -> None:
    link = tree / place
    link.parent.mkdir(parents=True)
    link.symlink_to(link.name)
    said = f"{link}: unreadable: Too many levels of symbolic links; nothing goes on before it can be read"
    with pytest.raises(ManifestError, match=f"^{re.escape(said)}$"):
        walk_results(tree, depth=3)


WALK_AS_NOBODY = """
import os, sys
from pathlib import Path
from flows.gateways.files.results import walk_results
if os.getuid() == 0:  # whom no mode of a folder keeps out
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
for name in sys.argv[1:]:
    try:
        print(walk_results(Path(name), depth=3))
    except Exception as error:
        print(f"{type(error).__name__} {error}")
"""


def test_a_folder_that_may_not_be_read_is_never_taken_for_empty(tmp_path: Path) -> None:
    denied = "unreadable{}: Permission denied; nothing goes on before it can be read"
    # Of a folder with the last mode the names can be read, and nothing else of what lies in it.
    cases = {
        "a": (".", 0, f"ManifestError a: {denied.format(' folder')}"),
        "b": ("CA", 0, f"ManifestError b/CA: {denied.format(' folder')}"),
        "c": ("CA/Lincoln/2023", 0, f"ManifestError c/CA/Lincoln/2023: {denied.format(' folder')}"),
        "d": ("CA/Lincoln/2023", 0o444, f"ManifestError d/{PLACE}: {denied.format('')}"),
        "e": (".", 0o755, f"['{KEY}']"),
    }
    for name, (place, mode, _) in cases.items():
        put(tmp_path / name, PLACE)
        (tmp_path / name / place).chmod(mode)
    tmp_path.chmod(0o755)

    # From within: others may not pass the folders above, which belong to this run.
    command = [sys.executable, "-c", WALK_AS_NOBODY, *cases]
    done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)

    for name, (place, _, _) in cases.items():
        (tmp_path / name / place).chmod(0o755)
    assert done.stdout.splitlines() == [said for _, _, said in cases.values()], done.stderr

"""The walk of source documents: what is a PDF of a document, and what is told of all else."""

from pathlib import Path

from assets.sources import SourceProblem
from flows.gateways.pdf.tree import walk_pdfs
from flows.runtime.sources import source_tree


def make(top: Path, *names: str) -> None:
    for name in names:
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%PDF-1.7")


def walk(top: Path, depth: int = 3) -> tuple[list[tuple[str, ...]], dict[str, str]]:
    pdfs, problems = walk_pdfs(source_tree(top), depth=depth)
    return [pdf.fields for pdf in pdfs], {problem.path: problem.reason for problem in problems}


def test_folders_and_the_stem_are_the_documents_fields(tmp_path: Path) -> None:
    make(tmp_path, "CA/Lincoln/1901.pdf", "CA/Lincoln/1902.PDF", "AL/Ada b/x.y.Pdf")
    assert walk(tmp_path) == ([("AL", "Ada b", "x.y"), ("CA", "Lincoln", "1901"), ("CA", "Lincoln", "1902")], {})
    [pdf] = walk_pdfs(source_tree(tmp_path / "AL/Ada b"), depth=1)[0]
    found = (tmp_path / "AL/Ada b/x.y.Pdf").stat()
    assert (pdf.path, pdf.bytes, pdf.modified_ns) == ("x.y.Pdf", 8, found.st_mtime_ns)


def test_no_folder_is_no_pdfs(tmp_path: Path) -> None:
    assert walk_pdfs(source_tree(tmp_path / "gone"), depth=3) == ([], [])


def test_all_else_is_told(tmp_path: Path) -> None:
    make(tmp_path, "top.pdf", "CA/middle.pdf", "CA/Lincoln/notes.txt", "CA/Lincoln/1901/deep.pdf", "CA/a:b/1901.pdf")
    (tmp_path / "CA/Lincoln/folder.pdf").mkdir()
    (tmp_path / "CA/Lincoln/gone.pdf").symlink_to("nowhere")
    (tmp_path / "CA/Lincoln/loop.pdf").symlink_to("loop.pdf")
    (tmp_path / "CA/loop").symlink_to("loop")
    (tmp_path / "CA/Lincoln/.pdf").touch()
    (tmp_path / ".DS_Store").touch()
    (tmp_path / "CA/._Lincoln").touch()
    assert walk(tmp_path) == (
        [],
        {
            "top.pdf": "a file where folders of 2 more levels are expected",
            "CA/middle.pdf": "a file where folders of 1 more level are expected",
            "CA/Lincoln/notes.txt": "no PDF: its name does not end in .pdf",
            "CA/Lincoln/1901": "a folder where PDFs are expected",
            "CA/Lincoln/folder.pdf": "a folder where PDFs are expected",
            "CA/Lincoln/gone.pdf": "unreadable: No such file or directory",
            "CA/Lincoln/loop.pdf": "unreadable: Too many levels of symbolic links",
            "CA/loop": "unreadable: Too many levels of symbolic links",
            "CA/a:b": "a field holds a ':', which separates fields",
        },
    )


def test_two_pdfs_of_one_document_are_both_left_out(tmp_path: Path) -> None:
    make(tmp_path, "E\u0301cole.pdf", "\u00c9cole.pdf", "a.pdf", "a.PDF", "b.pdf")
    pdfs, problems = walk_pdfs(source_tree(tmp_path), depth=1)
    assert [pdf.path for pdf in pdfs] == ["b.pdf"]
    reason = "2 PDFs of one document; keep one"
    assert set(problems) == {
        SourceProblem(name, reason) for name in ("E\u0301cole.pdf", "\u00c9cole.pdf", "a.pdf", "a.PDF")
    }


def test_links_to_files_are_followed_and_to_folders_elsewhere_are_not(tmp_path: Path) -> None:
    make(tmp_path, "elsewhere/Lincoln/1901.pdf", "sources/AL/Lincoln/1901.pdf")
    top = tmp_path / "sources"
    (top / "CA").symlink_to(tmp_path / "elsewhere")
    (top / "TX").symlink_to("AL")
    (top / "AL/Lincoln/1902.pdf").symlink_to(tmp_path / "elsewhere/Lincoln/1901.pdf")
    assert walk(top) == (
        [("AL", "Lincoln", "1901"), ("AL", "Lincoln", "1902"), ("TX", "Lincoln", "1901"), ("TX", "Lincoln", "1902")],
        {"CA": "a symbolic link to a folder elsewhere"},
    )

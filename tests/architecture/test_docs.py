"""Docs against code: links, commands, paths, settings and names that the docs speak of are there, and what is there is
spoken of. Settings one by one are checked by tests/unit/config, columns by test_manifests_readme.py.
"""

import ast
import io
import json
import re
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import typer.main
from pydantic import BaseModel

from assets.catalog import CATALOG
from config.settings import Settings
from flows.cli import app

ROOT = Path(__file__).parents[2]
NOT_OURS = {".venv", ".git", "build", "dist", "dataset", "demo-data", "ui-screenshots"}
FOLDERS = (
    "assets",
    "config",
    "flows",
    "emulator",
    "exports",
    "viewer",
    "manifests",
    "notebooks",
    "tests",
    "benchmarks",
    "docs",
)
BINARY = {".png", ".gz", ".jpg", ".ico", ".parquet", ".pyc"}
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")


def our_files(folder: Path = ROOT) -> Iterator[Path]:
    """All files of the project, without what is made by running it."""
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            if path.name not in NOT_OURS and not path.name.endswith(("_cache", "__pycache__", ".egg-info")):
                yield from our_files(path)
        elif path.name not in NOT_OURS:  # .git is a file in a worktree
            yield path


PAGES = [path for path in our_files() if path.suffix == ".md" and ".hypothesis" not in path.parts]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def text_of(page: Path) -> str:
    """A page's text; of a notebook, that of its Markdown cells."""
    text = page.read_text(encoding="utf-8")
    if page.suffix != ".ipynb":
        return text
    return "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown")


def named(pattern: str, pages: Iterable[Path] = (*PAGES, *NOTEBOOKS)) -> set[tuple[str, str]]:
    """(page, what the pattern's group found in it)."""
    return {
        (page.relative_to(ROOT).as_posix(), found) for page in pages for found in re.findall(pattern, text_of(page))
    }


def commands() -> set[str]:
    return set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]  # a group: it has commands


def test_links_lead_somewhere() -> None:
    links = named(r"\]\(([^)\s]+)\)")
    relative = {(page, link) for page, link in links if not re.match(r"[a-z]+:|#", link)}
    assert relative, "there are links to check"

    broken = {(page, link) for page, link in relative if not (ROOT / page).parent.joinpath(link.split("#")[0]).exists()}

    assert broken == set()


def test_anchors_are_headings() -> None:
    broken = set()
    for page, link in named(r"\]\(([^)\s]+\.md#[^)\s]+|#[^)\s]+)\)"):
        file, _, anchor = link.partition("#")
        target = (ROOT / page).parent / file if file else ROOT / page
        headings = re.findall(r"^#+ (.+)$", text_of(target), re.MULTILINE)
        if anchor not in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}:
            broken.add((page, link))

    assert broken == set()


def test_commands_that_the_docs_name_are_there() -> None:
    # In code, or at the start of a line of a code block: "quire status". In prose a quire is a gathering of leaves.
    spoken_of = named(r"(?:`|^ {4}|^\$ )quire ([a-z][a-z-]*)") | named(r"(?m)^(?: {4}|\$ )?quire ([a-z][a-z-]*)")
    assert spoken_of

    assert {(page, name) for page, name in spoken_of if name not in commands()} == set()


def test_messages_and_docstrings_name_commands_that_are_there() -> None:
    modules = [path for folder in ("assets", "config", "flows") for path in our_files(ROOT / folder)]

    spoken_of = named(r"(?:`|run |with: )quire ([a-z][a-z-]*)", [path for path in modules if path.suffix == ".py"])

    assert {(module, name) for module, name in spoken_of if name not in commands()} == set()


@pytest.mark.parametrize("command", sorted(commands()))
def test_every_command_is_described(command: str) -> None:
    assert named(rf"quire ({command})\b", [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def test_paths_are_there() -> None:
    paths = named(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]*)[`:]")
    assert len(paths) > 20
    # What a run makes, and what a person may add, is not in the repository.
    made = re.compile(r"manifests/(?!README)|dataset/|.*\.(sqlite|parquet)$")

    gone = {(page, path) for page, path in paths if not made.match(path) and not (ROOT / path).exists()}

    assert gone == set()


def test_folders_are_described() -> None:
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and (path / "__init__.py").exists()}

    assert {name for name in folders if f"`{name}/`" not in ARCHITECTURE} == set()


def test_settings_are_there() -> None:
    sections = {
        field.alias or name: field.annotation.model_fields
        for name, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }
    spoken_of = named(rf"`((?:{'|'.join(sections)})\.[a-z_]+)[`:]")
    assert spoken_of

    unknown = {
        (page, name) for page, name in spoken_of if name.partition(".")[2] not in sections[name.partition(".")[0]]
    }

    assert unknown == set()


def test_functions_of_the_architecture_are_where_it_says() -> None:
    places = {found for _, found in named(r"`([\w/]+\.py:\w+)`", [ROOT / "ARCHITECTURE.md"])}
    assert len(places) > 20

    missing = {place for place in places if place.partition(":")[2] not in _definitions(place.partition(":")[0])}

    assert missing == set()


def test_the_graph_of_the_architecture_is_the_graph() -> None:
    drawn = set(re.findall(r"^    (\w+) --(?: \w+ --)?> (\w+)$", ARCHITECTURE, re.MULTILINE))

    assert drawn == CATALOG.edges()


def test_nothing_speaks_of_where_it_was_made() -> None:
    # Put together here, so that this file does not hold them itself.
    words = ["py" + r"pi\.org", "python" + r"hosted\.org", r"(?<![\w}])/wo" + "rk/", "/tm" + "p/w", "help" + r"er-\w"]
    forbidden = re.compile("|".join([*words, r"\bissue #?\d", r"(?<![\w&/$])#\d{1,4}\b"]), re.IGNORECASE)

    found = set()
    for path in our_files():
        if path.suffix not in BINARY and ".hypothesis" not in path.parts and not path.name.startswith(".installed"):
            for match in forbidden.finditer(path.read_text(encoding="utf-8", errors="replace")):
                found.add((path.relative_to(ROOT).as_posix(), match[0]))

    assert found == set()


def test_docstrings_and_comments_name_what_is_there() -> None:
    """In single backquotes stand names of ours: a module by the end of its dotted name, or what is defined in one. Code
    and the words of others have double ones."""
    modules = {
        path.relative_to(ROOT).with_suffix("").as_posix().removesuffix("/__init__").replace("/", "."): path
        for folder in ("assets", "config", "flows", "emulator", "exports", "viewer")
        for path in our_files(ROOT / folder)
        if path.suffix == ".py"
    }
    ends = {name.split(".", at)[-1] for name in modules for at in range(name.count(".") + 1)}
    files = {"/".join(path.parts[-at:]) for path in modules.values() for at in range(1, 6)}
    homes: dict[str, list[str]] = {}
    for home, path in modules.items():
        for name in _names_defined_in(path):
            homes.setdefault(name, []).append(home)

    def is_there(name: str) -> bool:
        front, _, last = name.rpartition(".")
        found = homes.get(last, [])
        return name in ends or any(not front or f".{home}".endswith(f".{front}") for home in found)

    gone, told = set(), 0
    for path in modules.values():
        for text in _comments(path):
            for name in re.findall(r"(?<!`)`([a-z_][a-z0-9_]*(?:\.\w+)*)`(?!`)", text):
                told += 1
                if not is_there(name):
                    gone.add((path.relative_to(ROOT).as_posix(), name))
            for name in re.findall(r"(?<![\w/])[\w/]+\.py\b", text):
                if name not in files and not (ROOT / name).exists() and not name.startswith("prefect/"):
                    gone.add((path.relative_to(ROOT).as_posix(), name))

    assert told > 100
    assert gone == set()


def _comments(module: Path) -> Iterator[str]:
    """The docstrings and comments of a module, and what describes a constant."""
    text = module.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def _names_defined_in(module: Path) -> set[str]:
    """Functions, classes, methods, fields and constants."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    fields = [node.target for node in ast.walk(tree) if isinstance(node, ast.AnnAssign)]
    names = {each.id for each in fields if isinstance(each, ast.Name)} | _definitions(
        module.relative_to(ROOT).as_posix()
    )
    constants = [node for node in tree.body if isinstance(node, ast.Assign)]
    return names | {each.id for node in constants for each in ast.walk(node) if isinstance(each, ast.Name)}


def _definitions(module: str) -> set[str]:
    """Names of the functions, classes and methods in a module."""
    tree = ast.parse((ROOT / module).read_text(encoding="utf-8"))
    return {
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }

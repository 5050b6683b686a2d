"""Input that attacks, through whole passes: links that lead out of the results, names and answers that are Markdown,
HTML, commands or terminal sequences, names in edits and arguments that are paths elsewhere. What is asserted is what
others see: the disk, the terminal, Prefect's log and artifacts, the emulator's books.
"""

import os
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from assets.domain.errors import LedgerError, ManifestError, QuireError, RecordKeyError
from flows.gateways.files.home import MARK
from flows.questions.why import why_text
from flows.terminal.reruns import Words, rerun_text, unblock_text
from flows.terminal.show import release_text, status_text
from tests.flows.recorded import Recorded
from tests.images import small_jpeg
from tests.prefect_server import PrefectServer
from tests.project import JOB_SECONDS, Project
from tests.standby import Standby

DOCUMENT = "CA:Lincoln:1901"


class Elsewhere:
    """A folder of others, with a file that is called like a result. Its times are so old that reading shows, where the
    file system keeps the time of reading at all."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder, self.file = folder, folder / "1.json"
        self.file.write_text('{"theirs": true}')
        for path in (self.file, folder):
            os.utime(path, (1, 2))
        self._before = self._times()

    def is_untouched(self) -> bool:
        times = self._times()  # before we look ourselves
        names = [path.name for path in self.folder.iterdir()]
        return times == self._before and names == ["1.json"] and self.file.read_text() == '{"theirs": true}'

    def _times(self) -> list[tuple[int, int, int]]:
        found = (path.stat() for path in (self.folder, self.file))
        return [(each.st_atime_ns, each.st_mtime_ns, each.st_ctime_ns) for each in found]


async def test_a_link_out_of_the_results_stops_the_pass_before_anything_is_sent(
    project: Project, prefect_server: PrefectServer, standby: Standby
) -> None:
    (key,) = project.add_pages(DOCUMENT, [1])
    others, result = Elsewhere(project.root / "elsewhere"), project.result_path(key)
    for link, target in ((result.parent, others.folder), (result, others.file)):
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)
        with pytest.raises(ManifestError) as stopped:
            await project.run_pass()
        assert str(stopped.value) == _leads_out(project, link)
        assert link.is_symlink()
        link.unlink()
    result.symlink_to(others.file)
    for command in (["status"], ["rerun", key]):
        child = standby.quire(*command, "--config", str(project.config), server=prefect_server)
        assert await child.ended() == 1
        assert child.printed == f"quire: {_leads_out(project, result)}\n"
    result.unlink()
    assert others.is_untouched()
    assert not {"upload_start", "create_batch"} & project.gemini.requests().keys()
    assert (await project.variable("active_batch_ids"), project.submissions()) == ([], [])

    assert (await project.run_pass()).submit.sent == 1, "with the links gone it goes on"


async def test_results_that_cannot_be_read_stop_the_pass_before_anything_is_sent(
    project: Project, prefect_server: PrefectServer, standby: Standby
) -> None:
    (key,) = project.add_pages(DOCUMENT, [1])
    result = project.result_path(key)
    loop, folder = result.parent.parent / "1999", result
    folder.mkdir(parents=True)
    cases = [(folder, "is a folder where a result belongs; move it away")]
    cases.append((loop, "unreadable: Too many levels of symbolic links; nothing goes on before it can be read"))
    for path, words in cases:
        if path == loop:
            folder.rmdir()
            loop.symlink_to(loop.name)
        with pytest.raises(ManifestError) as stopped:
            await project.run_pass()
        assert str(stopped.value) == f"{path}: {words}"
    child = standby.quire("status", "--config", str(project.config), server=prefect_server)
    assert await child.ended() == 1
    assert child.printed == f"quire: {loop}: {cases[-1][1]}\n"
    loop.unlink()
    assert not {"upload_start", "create_batch"} & project.gemini.requests().keys()

    assert (await project.run_pass()).submit.sent == 1, "with both gone it goes on"


@pytest.mark.light
async def test_a_link_that_appears_while_a_batch_runs_costs_no_answer_and_no_file_of_others(project: Project) -> None:
    project.configure(context={"mode": "none"})
    project.configure(context={"at_gap": "break"})
    key, failed = project.add_pages(DOCUMENT, [1, 3])
    project.gemini.set_steps(failed, "not_json", "auto")
    others, folder = Elsewhere(project.root / "elsewhere"), project.result_path(key).parent
    await project.run_pass()
    project.gemini.advance(JOB_SECONDS)
    before = await project.variables()
    await project.edit_variable("record_failure_counts", {key: 1})
    folder.parent.mkdir(parents=True)
    folder.symlink_to(others.folder)

    with pytest.raises(ManifestError) as stopped:
        await project.run_pass()
    assert str(stopped.value) == _leads_out(project, folder)
    with pytest.raises(ManifestError):
        await rerun_text(str(project.config), Words([f"{DOCUMENT}:2-3", key]))

    assert await project.variables() == before | {"record_failure_counts": {key: 1}}, "nothing was reset, nothing freed"
    assert project.outcomes() == []
    assert others.is_untouched()
    folder.unlink()
    assert await unblock_text(str(project.config), Words([key])) == "1 counts reset"
    await project.run_pass()
    assert project.result(key) is not None
    assert project.gemini.record(key)["billed"] == project.gemini.record(key)["submitted"] == 1


def _leads_out(project: Project, link: Path) -> str:
    results = project.root / "dataset/output_results"
    return f"{link}: a symbolic link leads out of {results} here; put a folder or a file in its place"


# --- names and words

SCRIPT = "<script>alert(1)</script> | [a](javascript:alert(1)) `b`"
ATTACK = f"\x1b[2J\x1b]0;x\x07{SCRIPT}\r\n# c ![d](http://e.invalid) \u202e%s"
"""What a service's message or a model's answer may hold; SCRIPT can be printed."""
DOCUMENTS = [
    "<img src=x onerror=alert(1)>",
    "[a](javascript&colon;alert(1))",
    "![i](x) **b** ~~s~~ $$m$$",
    "`id` $(id) ${HOME} ; id #",
    "| a | b |",
    "--config=elsewhere.yaml",
    "%2e%2e%2f..%2fetc%2fpasswd",
    "-rf",
    "<!-- <details open ontoggle=alert(1)>",
    "%s %(name)s %n {0.__class__} {{ 7 * 7 }} {% raw %}",
    '=HYPERLINK("x") "quoted" \'single\'',
    "right\u200fto left",
]
"""Names of folders that are documents all the same."""
LEFT_OUT = ["bell\x07", "clear\x1b[2J", "new\nline", "turned\u202eround"]
"""Names of folders that no document can have."""
ANSWER = {
    "printed_page_number": None,
    "language": "en",
    "continues_previous_page": False,
    "continues_on_next_page": False,
    "headings": [],
    "blocks": [{"kind": "other", "text": ATTACK}],
}
STEPS: list[dict[str, Any]] = [
    {"kind": "error", "code": 400, "message": ATTACK},
    {"kind": "error", "field": "status", "code": 2, "message": ATTACK},
    {"kind": "blocked_prompt", "reason": ATTACK},
    {"kind": "blocked_answer", "reason": ATTACK},
    {"kind": "not_json", "text": ATTACK},
    {"kind": "answer", "json": ANSWER | {ATTACK: 1}},
    {"kind": "answer", "json": ANSWER},
    {"kind": "unknown_key", "unknown": f"../../{ATTACK}"},
]


async def test_names_and_words_that_attack_are_shown_and_never_obeyed(
    project: Project, prefect_server: PrefectServer, standby: Standby
) -> None:
    pattern = r"(?s:.*)-(?P<page>[0-9]+)"
    project.configure(execution={"max_retries": 0}, context={"mode": "none"}, record={"page_pattern": pattern})
    keys = [_add_page(project, name, "<b>[x](y)|`-7") for name in DOCUMENTS]
    for name in LEFT_OUT:
        _add_page(project, name, "p-1")
    for stem in ("\x1b[2J-8", f"<i>-{'9' * 201}"):
        _add_page(project, DOCUMENTS[0], stem)
    for key, step in zip(keys, STEPS, strict=False):
        project.gemini.set_steps(key, step)
    refused = keys[-1]
    project.gemini.add_fault(
        "upload_start", status=400, message=ATTACK, display_name=f"*-{sorted(keys).index(refused)}-1"
    )
    project.gemini.add_fault("list_batches", status=503, message=ATTACK)

    async def quire(command: str, *keys: str, yes: bool = False) -> str:
        """What it prints, when it ends well; with status 3 a pass ends that leaves dead letters."""
        arguments = ["--config", str(project.config), *["--yes"] * yes, "--", *keys]
        child = standby.quire(command, *arguments, server=prefect_server)
        assert await child.ended() in ((0, 3) if command == "run" else (0,)), child.printed
        return child.printed

    printed = await quire("run")
    project.gemini.advance(JOB_SECONDS)
    printed += await quire("run")
    dead = set(await project.variable("record_failure_counts"))
    status, why, unblocked = await quire("status"), await quire("why", refused), await quire("unblock", *dead, yes=True)

    # The disk: each result lies where its key says, and nothing lies elsewhere.
    assert dead == {*keys[:6], refused}
    assert _names(project.root) == {"dataset", "manifests", "quire.yaml", "server"}, "with the log of the passes"
    assert _names(project.root / "dataset") == {"page_images", "output_results"}
    results = project.root / "dataset/output_results"
    assert {path for path in results.rglob("*") if path.is_file()} == {results / MARK} | {
        results / "CA" / key.split(":")[1] / "1901/7.json" for key in set(keys) - dead
    }
    result = project.result(keys[6])
    assert result is not None
    assert result["blocks"][0]["text"] == ATTACK, "data stays as it is"

    # The terminal and Prefect's log: it is there, and every character of it can be printed.
    log = [line.text for line in await Recorded(project).lines()]
    assert [line for line in [*log, *(printed + status + why).splitlines()] if not line.isprintable()] == []
    for name in LEFT_OUT:
        assert sum(line.startswith(f"Left out: dataset/page_images/CA/{_shown(name)}: ") for line in log) == 1
    assert (
        sum(line.startswith(f"Gemini refused the image: {_shown(refused)}: ") and SCRIPT in line for line in log) == 1
    )
    assert sum("'../../" in line and SCRIPT in line for line in log) == 1, "the key of nobody's line"
    for key in dead:
        begins = f"dead letter {_shown(key)}: 1 failure, last: "
        assert sum(line.startswith(begins) for line in status.splitlines()) == 1
    assert why.startswith(f"{_shown(refused)}\ndead letter: 1 failure,")
    assert SCRIPT in why
    assert unblocked == f"{len(dead)} counts reset\n"

    # The artifacts: what a renderer makes of them is text in a table and a list, and nothing else.
    texts = [_rendered(report) for report in await Recorded(project).artifacts("batch-report")]
    assert len(texts) == 2
    assert {key.replace("\u200f", "\ufffd") for key in dead} <= {text for report in texts for text in report}
    assert sum(SCRIPT in text for report in texts for text in report) == 6


def _add_page(project: Project, school: str, stem: str) -> str:
    """A page whose folder and file bear these names. Returns its key."""
    folder = project.root / "dataset/page_images/CA" / school / "1901"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{stem}.jpg").write_bytes(small_jpeg())
    return f"CA:{school}:1901:{stem.rpartition('-')[2]}"


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _shown(text: str) -> str:
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def _rendered(markdown: str) -> list[str]:
    """The texts of a report as a renderer of Markdown that lets HTML through has them. Asserts that there is nothing
    else in it: no HTML, no link, no image, no emphasis, no code but the name of a Variable."""
    blocks = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(markdown)
    assert {block.tag for block in blocks} <= {"", "p", "h3", "table", "thead", "tbody", "tr", "th", "td", "ul", "li"}
    assert not any(block.type.startswith("html") for block in blocks)
    inline = [block.children or [] for block in blocks if block.type == "inline"]
    pieces = [piece for text in inline for piece in text if piece.type != "text"]
    assert [piece for piece in pieces if (piece.type, piece.content) != ("code_inline", "record_failure_counts")] == []
    return ["".join(piece.content for piece in text) for text in inline]


# --- names in edits and arguments

PATH = "../../../../etc/passwd"
EDITS: list[tuple[str, Any]] = [
    ("active_batch_ids", [f"batches/{PATH}"]),
    ("active_batch_ids", [f"submitting/{PATH}"]),
    ("active_batch_ids", [f"batches/{ATTACK}"]),
    ("record_failure_counts", {PATH: 1}),
    ("record_failure_counts", {f"CA:{PATH}:1901:1": 1}),
    ("record_failure_counts", {ATTACK: 1}),
]
VIEW_EDITS: list[tuple[str, Any]] = [
    ("batch_record_keys", {"batches/x": [f"@{PATH}"]}),
    ("inflight_record_ids", [ATTACK]),
]


@pytest.mark.light
async def test_names_in_edits_and_arguments_that_are_paths_lead_nowhere(project: Project) -> None:
    project.add_pages(DOCUMENT, [1])
    project.configure(execution={"dry_run": True})
    await project.run_pass()
    project.configure(execution={"dry_run": False})
    config, good = str(project.config), await project.variables()
    said = []
    for name, value in EDITS:
        await project.edit_variable(name, value)
        with pytest.raises(LedgerError, match=f"^Variable {project.collection}_{name}, entry '") as error:
            await status_text(config)
        said.append(str(error.value))
        if (name, value) in (EDITS[0], EDITS[3]):
            with pytest.raises(LedgerError):
                await project.run_pass()
        await project.edit_variable(name, good[name])
    for name, value in VIEW_EDITS:
        await project.edit_variable(name, value)
        said += (await status_text(config)).splitlines()
        await project.edit_variable(name, good[name])
    for key in (PATH, f"CA:{PATH}:1901:1", "CA:..:1901:1", f"CA:{ATTACK}:1901:1-2"):
        for command in (why_text(config, key), rerun_text(config, Words([key])), unblock_text(config, Words([key]))):
            with pytest.raises(RecordKeyError) as wrong:
                await command
            said.append(str(wrong.value))
    for batch in (PATH, f"batches/{PATH}", f"submitting/{PATH}", ATTACK):
        with pytest.raises(QuireError, match="no such batch is active"):
            await release_text(config, batch, cancel=True)

    assert [line for line in said if not line.isprintable()] == []
    assert await project.variables() == good
    assert not {"upload_start", "create_batch", "cancel_batch", "get_batch"} & project.gemini.requests().keys()

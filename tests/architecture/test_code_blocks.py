"""Each code block of README and docs is run by a test, which is named here, or read right here, where it is settings.
What needs an engine for containers or a cluster is not run: the tests that are named hold what such commands name.
"""

import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from config.settings import load_settings
from tests.architecture.test_failure_docs import TESTS

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "CONTRIBUTING.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
COMPOSITION = "test_the_services_run_in_a_new_volume_and_a_backup_is_made"
RUN_BY = {
    "README.md": {"quire init": "test_readmes_own_scans"},
    "docs/compare.md": {"": "test_each_command_of_the_page_on_comparing"},
    "docs/configuration.md": {
        "record: {document_fields:": "test_a_folder_of_ones_own_runs_with_a_configuration_of_ten_lines"
    },
    "docs/correct.md": {"": "test_each_command_of_the_page_corrects_the_shelf"},
    "docs/costs.md": {"quire scan": "test_readmes_own_scans"},
    "docs/deployment.md": {
        ".venv/bin/python -m pip wheel": "test_it_scans_and_shows_the_request_for_a_page",
        "quire up": "test_readmes_own_scans",
        "quire serve": "test_serve_has_the_same_schedule_and_limit",
        "prefect work-pool create": "test_a_worker_runs_the_scheduled_pipeline_and_prune_removes_what_is_done",
        "PREFECT_SERVER_API_AUTH_STRING": "test_a_server_with_a_password_lets_in_who_has_it_and_tells_others",
        "from google import genai": "test_googles_own_library_registers_the_webhook_as_the_page_says",
        "import base64": "test_a_signed_message_starts_one_pass_and_no_other_message_does",
        "curl -X POST": "test_a_signed_message_starts_one_pass_and_no_other_message_does",
        "quire backup": "test_each_command_of_the_page_does_what_it_says",
        'python -c "import sqlite3': "test_the_command_of_the_page_gives_the_space_back",
        "cp .env.example": COMPOSITION,
        "docker compose": COMPOSITION,
        "tar -C": COMPOSITION,
        "DOCKER_GID": "test_the_workers_serve_the_pools_of_prefect_yaml",
    },
    "docs/emulator.md": {
        "from emulator": "test_serve_says_where_it_is_and_ends_on_an_interrupt",
        "": "test_the_examples_are_taken",
    },
    "docs/export.md": {"": "test_each_command_of_the_page_exports_the_shelf"},
    "docs/iiif.md": {"": "test_each_command_of_the_page_fetches_the_book"},
    "docs/kubernetes.md": {"": "test_every_claim_and_secret_is_made_on_the_page"},
    "docs/operations.md": {"": "test_each_command_of_the_page_does_what_it_says"},
    "docs/own-schema.md": {"": "test_the_page_on_a_schema_of_ones_own"},
    "docs/rerun.md": {
        "120 pages": "test_the_plan_has_a_price_and_just_that_is_sent_up_to_a_sum",
        "": "test_each_command_of_the_page_on_reading_anew",
    },
    "docs/quality.md": {"": "test_each_command_of_the_page_does_what_it_says"},
    "docs/shipped-schemas.md": {
        "CA:Lincoln": "test_pages_that_have_to_be_turned_are_listed_as_the_page_says",
        "{": "test_the_answers_of_the_page_are_those_of_the_local_gemini",
    },
    "docs/view.md": {
        "quire view --static": "test_the_copies_of_its_page_are_written",
        "quire view": "test_the_command_serves_what_its_page_says",
    },
}
"""Page -> how a block begins -> the test that runs it; "": any other block of that page."""


def blocks() -> list[tuple[str, str, str]]:
    """Page, language, text."""
    return [
        (page, token.info.strip(), token.content)
        for page in PAGES
        for token in MarkdownIt("commonmark").parse((ROOT / page).read_text(encoding="utf-8"))
        if token.type in ("code_block", "fence")
    ]


def _first_line(each: str) -> str:
    return each.splitlines()[0][:40] if each else "-"


@pytest.mark.parametrize(("page", "language", "text"), blocks(), ids=_first_line)
def test_each_block_is_run_by_a_test(tmp_path: Path, page: str, language: str, text: str) -> None:
    starts = RUN_BY.get(page, {})
    by = next((test for start, test in starts.items() if start and text.lstrip().startswith(start)), starts.get(""))
    if by is not None:
        assert by in TESTS
    elif language == "yaml":
        # Settings: nothing in them is unknown or out of bounds.
        (tmp_path / "quire.yaml").write_text(text, encoding="utf-8")
        load_settings(tmp_path / "quire.yaml")
    elif page == "README.md" and "|  scan" in text:
        assert language == "", "a drawing"
    else:
        _all_made(text)


def _all_made(text: str) -> None:
    """Only `make` with targets that there are, and the modules behind them."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for line in text.splitlines():
        make, target, *_ = f"{line} - -".split()
        if make == "make":
            assert target in targets, line
        else:
            assert re.match(r"python -m tests\.(errno|crash)_matrix\.run\b", line), f"no test runs {line}"

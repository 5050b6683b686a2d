"""Comparisons in the viewer: a list, and each with its table and what differs, marked in the text."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from config.settings import load_settings
from config.variants import frozen_sections
from flows.compare import create_run, settings_of_side
from flows.gateways.files.runs import Run, Side
from flows.runtime.wiring import make_storage
from tests.unit.exports.shelf import Shelf, block, transcript
from tests.unit.viewer.looking import looking, room_of, words

DOCUMENT = "CA:Lincoln:2023"
READ = {"a": "the quick brown fox", "b": "the <b>quick</b> brown ox"}


def test_two_readings_stand_side_by_side_and_what_differs_is_marked(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, collection="main")
    shelf.add(DOCUMENT, {"1": transcript(block("The quick brown fox")), "2": None})
    settings = load_settings(shelf.config, environ={})
    storage = make_storage(settings)
    assert settings.source is not None
    sides = tuple(
        Side(label, words, frozen_sections(words, settings.source, {}), None)
        for label, words in (("a", "current"), ("b", "model=gemini-3.1-flash-lite"))
    )
    run = Run("lite", datetime(2026, 11, 1, tzinfo=UTC), 1, 2, sides, has_ended=True)
    create_run(settings, storage, run, np.array([0, 1]))
    for side in sides:
        path = make_storage(settings_of_side(settings, run, side)).result_path(f"{DOCUMENT}:1")
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(transcript(block(READ[side.label]))))

    with looking(room_of(shelf)) as client:
        home, listed = client.get("/").text, client.get("/comparisons").text
        page = client.get("/comparisons/lite")
        unknown = client.get("/comparisons/..%2Flite")
    assert 'href="comparisons"' in home
    assert 'href="comparisons/lite"' in listed
    assert "pages read 1 of 2 1 of 2" in words(page.text)
    assert "<ins>&lt;b&gt;quick&lt;/b&gt; </ins>brown <ins>ox" in page.text.replace("</ins><ins>", "")
    assert f"page/{DOCUMENT}:1" in page.text
    assert unknown.status_code == 404


def test_where_nothing_was_compared_it_says_how(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, collection="main")
    shelf.add(DOCUMENT, {"1": transcript(block("one"))})
    with looking(room_of(shelf)) as client:
        assert "Nothing was compared yet: quire compare reads" in words(client.get("/comparisons").text)

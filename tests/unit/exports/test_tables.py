"""``quire export jsonl|csv|parquet``, read by programs that are not ours."""

import json
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from assets.domain.home import HomeFile
from config.settings import load_settings
from exports.columns import OWN
from flows.tables.corrections import Corrector
from tests.unit.exports.shelf import NOW, USD, Shelf, block, files_in, transcript

FIRST = transcript(block("Chapter I", "heading", level=2), block('He said:\n"no", and went.\t§'), language="de")
MODEL = """
from typing import Literal
from pydantic import BaseModel

class Sum(BaseModel):
    amount: float
    currency: Literal["USD", "EUR"]

class Line(BaseModel):
    name: str
    sum: Sum | None

class Invoice(BaseModel):
    number: int
    total: Sum
    lines: list[Line]
    either: int | str
    notes: dict[str, str]
    parent: "Invoice | None"
"""
INVOICE = {
    "number": 7,
    "total": {"amount": 12.5, "currency": "USD"},
    "lines": [{"name": "paper", "sum": {"amount": 2, "currency": "EUR"}}, {"name": "ink", "sum": None}],
    "either": "x",
    "notes": {"of": "old"},
    "parent": None,
}


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = Shelf(tmp_path)
    shelf.add("TX:Austin:2023", {"10": transcript(block("ten")), "9": transcript(block("nine"))})
    shelf.add("CA:Lincoln:2023", {"1": FIRST, "2": None, "12r": transcript(), "iv": transcript(block("four"))})
    return shelf


KEYS = ["CA:Lincoln:2023:1", "CA:Lincoln:2023:12r", "CA:Lincoln:2023:iv", "TX:Austin:2023:9", "TX:Austin:2023:10"]


class TestWhatARowHolds:
    def test_jsonl_by_pandas(self, shelf: Shelf, tmp_path: Path) -> None:
        shelf.export("jsonl", tmp_path / "pages.jsonl")

        found = pd.read_json(tmp_path / "pages.jsonl", lines=True, dtype={"year": str})

        assert found["record_key"].tolist() == KEYS, "in the order of the documents' pages"
        row = found.iloc[0]
        assert row[["state", "school", "year", "page_label"]].tolist() == ["CA", "Lincoln", "2023", "1"]
        assert row["text"] == 'Chapter I\n\nHe said:\n"no", and went.\t§'
        assert row["result"] == FIRST
        assert row[["model", "prompt_name", "prompt_version"]].tolist() == ["gemini-3.5-flash", "page_transcript", "v1"]
        assert pd.Timestamp(row["settled_at"]) == NOW
        assert row["usd"] == pytest.approx(USD)
        assert found["usd"].sum() == pytest.approx(5 * USD)
        assert not found["edited"].any()

    def test_csv_by_pandas_and_by_duckdb(self, shelf: Shelf, tmp_path: Path) -> None:
        to = tmp_path / "pages.csv"
        shelf.export("csv", to)

        found = pd.read_csv(to, dtype=str, keep_default_na=False)
        rows = duckdb.read_csv(str(to), all_varchar=True).project("record_key, text, usd").fetchall()

        assert found["record_key"].tolist() == KEYS == [row[0] for row in rows]
        assert found["text"][0] == 'Chapter I\n\nHe said:\n"no", and went.\t§' == rows[0][1]
        assert json.loads(found["result"][0]) == FIRST
        assert json.loads(found["result_headings"][0]) == [{"text": "Chapter I", "level": 2}]
        assert found["result_language"].tolist() == ["de", "en", "en", "en", "en"]
        assert float(rows[0][2]) == pytest.approx(USD)

    def test_parquet_by_duckdb_and_by_pandas(self, shelf: Shelf, tmp_path: Path) -> None:
        shelf.export("parquet", tmp_path / "set")

        pages = duckdb.read_parquet(f"{tmp_path}/set/data/**/*.parquet")
        rows = pages.aggregate("year, count(*), sum(usd)").fetchall()
        level = pages.filter("page_label = '1'").project("result_headings[1].level").fetchall()
        found = pd.read_parquet(tmp_path / "set" / "data")

        assert rows == [("2023", 5, pytest.approx(5 * USD))], "the year stays a text"
        assert level == [(2,)]
        assert sorted(found["record_key"]) == sorted(KEYS)
        assert found["settled_at"].unique().tolist() == [pd.Timestamp(NOW)]
        assert set(OWN) <= set(found.columns)
        assert sorted(files_in(tmp_path / "set")) == [
            "README.md",
            "data/CA/Lincoln/2023/pages.parquet",
            "data/TX/Austin/2023/pages.parquet",
        ]

    def test_the_card_says_what_made_it_what_it_cost_and_whose_it_is(self, shelf: Shelf, tmp_path: Path) -> None:
        notes = shelf.root / "dataset/page_images/CA/Lincoln/2023/.iiif"
        notes.mkdir()
        (notes / "document.json").write_text(json.dumps({"rights": "<b>CC0</b> | [x](y)", "label": "A book"}))

        shelf.export("parquet", tmp_path / "set")

        card = (tmp_path / "set" / "README.md").read_text()
        assert "5 pages of 2 documents" in card
        assert "| gemini-3.5-flash, prompt page\\_transcript v1 | 5 |" in card
        assert f"{5 * USD:.4f} US dollars" in card
        assert "| \\<b\\>CC0\\</b\\> \\| \\[x\\](y) | 1 |" in card
        assert "| nothing is said | 1 |" in card

    def test_who_edited_it_is_a_person(self, shelf: Shelf, tmp_path: Path) -> None:
        shelf.write(KEYS[3], transcript(block("by hand")))
        shelf.storage.result_path("CA:Lincoln:2023:2").write_text('{"blocks": []}')

        shelf.export("jsonl", tmp_path / "pages.jsonl")

        found = pd.read_json(tmp_path / "pages.jsonl", lines=True).set_index("record_key")
        assert found["edited"][found["edited"]].index.tolist() == ["CA:Lincoln:2023:2", KEYS[3]]
        assert found["model"].isna().sum() == 1, "what nobody here has made has no maker"

    def test_what_people_have_vouched_for_is_told_and_exported_again(self, shelf: Shelf, tmp_path: Path) -> None:
        shelf.storage.home.create(HomeFile("a" * 32, None))
        shelf.export("jsonl", tmp_path / "pages.jsonl")
        corrector = Corrector.of(load_settings(shelf.config))
        checked, corrected = KEYS[0], KEYS[3]
        seen = {key: shelf.storage.result_file(key) for key in (checked, corrected)}
        assert all(seen.values())
        corrector.check(checked, seen=seen[checked].sha256, by="Ada")  # type: ignore[union-attr]  # looked at above
        right = json.dumps(transcript(block("right")))
        corrector.correct(corrected, right, seen=seen[corrected].sha256, by="Ada")  # type: ignore[union-attr]  # likewise

        shelf.export("jsonl", tmp_path / "pages.jsonl")

        found = pd.read_json(tmp_path / "pages.jsonl", lines=True).set_index("record_key")["correction"]
        assert found.dropna().to_dict() == {checked: "checked", corrected: "corrected"}


class TestASchemaOfOnesOwn:
    @pytest.fixture
    def invoices(self, tmp_path: Path) -> Shelf:
        (tmp_path / "schemas").mkdir()
        (tmp_path / "schemas" / "invoices_of_export.py").write_text(MODEL)
        shelf = Shelf(
            tmp_path, ("text",), schema="invoices_of_export:Invoice", paths={"schemas": str(tmp_path / "schemas")}
        )
        shelf.add("A", {"1": INVOICE, "2": {"number": "of another schema"}})
        return shelf

    def test_all_of_it_is_in_the_columns(self, invoices: Shelf, tmp_path: Path) -> None:
        invoices.export("parquet", tmp_path / "set")

        rows: Any = pd.read_parquet(tmp_path / "set/data").to_dict("records")

        assert rows[0]["result_number"] == 7
        assert (rows[0]["result_total_amount"], rows[0]["result_total_currency"]) == (12.5, "USD")
        assert rows[0]["result_lines"].tolist() == INVOICE["lines"]
        assert [json.loads(rows[0][f"result_{name}"]) for name in ("either", "notes")] == ["x", {"of": "old"}]
        assert json.loads(rows[0]["result"]) == INVOICE
        assert rows[0]["field_text"] == "A", "a field that is called as a column of ours"
        assert pd.isna(rows[1]["result_number"])
        assert json.loads(rows[1]["result"]) == {"number": "of another schema"}, "nothing is lost"


class TestFormulas:
    CELLS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "  =1")

    def test_a_spreadsheet_runs_nothing(self, tmp_path: Path) -> None:
        shelf = Shelf(tmp_path, ("box",))
        shelf.add("=A", {str(at): transcript(block(text)) for at, text in enumerate(self.CELLS, 1)})

        shelf.export("csv", tmp_path / "pages.csv")

        found = pd.read_csv(tmp_path / "pages.csv", dtype=str, keep_default_na=False)
        assert found["text"].tolist() == [f"'{text}" for text in self.CELLS]
        assert set(found["box"]) == {"'=A"}
        cells = found.to_numpy().ravel().tolist()
        assert [cell for cell in cells if cell.lstrip(" ")[:1] in tuple("=+-@\t\r＝")] == []

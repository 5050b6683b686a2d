"""What a template sees, and what is said when it is wrong."""

from pathlib import Path

import pytest

from assets.domain.errors import PromptError
from assets.domain.prompt import PromptRecord, check_prompt, render_prompt

RECORD = PromptRecord("TX:Peñón High:1901:3", 3, "TX:Peñón High:1901", {"state": "TX", "school": "Peñón High"})


def render(template: str, *, previous: dict[str, object] | None = None, mode: str = "none") -> str:
    return render_prompt(template, source="p/v1.jinja", record=RECORD, previous=previous, context_mode=mode)


def test_a_template_sees_the_record() -> None:
    text = render("{{ record.key }}|{{ record.page + 1 }}|{{ record.document }}|{{ record.fields.school }}")
    assert text == "TX:Peñón High:1901:3|4|TX:Peñón High:1901|Peñón High"


def test_the_predecessor_comes_as_a_mapping_and_as_compact_json() -> None:
    previous: dict[str, object] = {"text": "a < b & “c”", "n": [1, 2]}
    text = render(
        "{{ previous.n[1] }} {{ previous_json }} {{ context_mode }}", previous=previous, mode="previous_result"
    )
    assert text == '2 {"text":"a < b & “c”","n":[1,2]} previous_result'


def test_without_a_predecessor_both_are_none() -> None:
    assert render("{{ previous is none }} {{ previous_json is none }}") == "True True"


@pytest.mark.parametrize("mode", ["none", "previous_result", "previous_image"])
def test_the_prompt_that_comes_with_quire_renders(mode: str) -> None:
    path = Path(__file__).parents[4] / "config/prompts/page_transcript/v1.jinja"
    template = path.read_text(encoding="utf-8")
    previous = {"printed_page_number": "xii"} if mode == "previous_result" else None
    text = render_prompt(template, source=path.name, record=RECORD, previous=previous, context_mode=mode)
    assert 'school "Peñón High"' in text
    assert ('{"printed_page_number":"xii"}' in text) == (mode == "previous_result")
    assert "{{" not in text


def test_a_mistake_in_the_template_names_file_and_line() -> None:
    with pytest.raises(PromptError, match=r"^p/v1.jinja, line 2: the prompt has a mistake: .*endif"):
        check_prompt("one\n{% if x %}two", source="p/v1.jinja")
    with pytest.raises(PromptError, match=r"^p/v1.jinja, line 2: "):
        render("one\n{% if x %}two")


@pytest.mark.parametrize(
    "wrong",
    ["{{ recrod.key }}", "{{ record.pgae }}", "{{ previous.text }}", "{{ record.key.no() }}", "{{ 1 / 0 }}",
     "{% include 'other' %}", "{{ ''.__class__.__mro__ }}", "{{ record.fields.update({}) }}"],
)  # fmt: skip
def test_what_goes_wrong_while_rendering_names_file_line_and_record(wrong: str) -> None:
    with pytest.raises(PromptError) as error:
        render(f"one\ntwo\n{wrong}\n")
    message = str(error.value)
    assert message.startswith("p/v1.jinja, line 3: the prompt for TX:Peñón High:1901:3 cannot be rendered: ")
    assert "\n" not in message


def test_a_transcript_is_no_template() -> None:
    assert render("{{ previous.text }}", previous={"text": "{{ record.key }}"}) == "{{ record.key }}"

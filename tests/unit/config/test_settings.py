"""What load_settings makes of files and variables, and what it says when they are wrong."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import ValidationError

from assets.context import ContextMode
from assets.domain.errors import ConfigError
from config.settings import (
    DEFAULT_FILE,
    Settings,
    load_settings,
    nearest_file,
)
from config.values import TAKEN_NAMES, Span

SHIPPED = sorted(DEFAULT_FILE.parent.glob("*.yaml"))


def load(folder: Path, text: str = "", environ: Mapping[str, str] | None = None) -> Settings:
    path = folder / "quire.yaml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path, environ=environ or {})


def refused(folder: Path, text: str = "", environ: Mapping[str, str] | None = None) -> str:
    """The one line that a user sees, without the file's folder."""
    with pytest.raises(ConfigError) as caught:
        load(folder, text, environ)
    line = str(caught.value)
    assert "\n" not in line
    return line.replace(f"{folder}/", "")


class TestTheFile:
    def test_default_yaml_says_what_the_models_say(self) -> None:
        root = DEFAULT_FILE.parent.parent
        assert load_settings(environ={}).model_dump() == Settings().anchored(root).model_dump()

    @pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
    def test_each_shipped_file_is_good(self, path: Path) -> None:
        assert load_settings(path, environ={}).source == path

    def test_an_empty_file_and_an_empty_section_mean_the_defaults(self, tmp_path: Path) -> None:
        assert load(tmp_path).execution.max_retries == 3
        assert load(tmp_path, "execution:\n  # max_retries: 5\nfilters:\n").execution.max_retries == 3

    def test_quire_config_names_the_file(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.yaml"
        path.write_text("collection: mine")
        assert load_settings(environ={"QUIRE_CONFIG": str(path)}).collection == "mine"

    @pytest.mark.parametrize("name", ["quire.yaml", "config/default.yaml"])
    def test_without_a_name_the_nearest_file_counts_from_the_working_folder_up(self, tmp_path: Path, name: str) -> None:
        file, farther = tmp_path / "here" / name, tmp_path / "quire.yaml"
        deep = tmp_path / "here" / "a" / "b"
        file.parent.mkdir(parents=True)
        deep.mkdir(parents=True)
        with pytest.raises(ConfigError, match=r"^/.*: no quire.yaml is here or above: make one with quire init in"):
            nearest_file(deep)
        file.touch()
        farther.touch()
        assert [nearest_file(folder) for folder in (tmp_path / "here", deep, tmp_path)] == [file, file, farther]
        (tmp_path / "here" / "quire.yaml").touch()
        assert nearest_file(deep).name == "quire.yaml", "before the checkout's, in one folder"

    def test_relative_paths_start_from_the_files_folder(self, tmp_path: Path) -> None:
        settings = load(tmp_path, "paths: {page_images: scans, manifests: /elsewhere/m, prompts: p}")
        assert settings.root == tmp_path
        assert settings.paths.page_images == tmp_path / "scans"
        assert settings.paths.manifests == Path("/elsewhere/m")
        assert settings.prompts_folder == tmp_path / "p"
        assert settings.paths.allow_list is None

    def test_root_is_relative_to_the_files_folder(self, tmp_path: Path) -> None:
        (tmp_path / "conf").mkdir()
        settings = load(tmp_path / "conf", "root: ../data")
        assert settings.root == tmp_path / "data"
        assert settings.paths.output_results == tmp_path / "data/dataset/output_results"

    def test_a_word_is_what_was_written(self, tmp_path: Path) -> None:
        fields = "record: {document_fields: [state, box, day]}"
        text = f"{fields}\nfilters: {{state: [NO, on], box: [007, 12], day: [1849-05-01]}}"
        assert load(tmp_path, text).filters == {"state": ("NO", "on"), "box": ("007", "12"), "day": ("1849-05-01",)}

    def test_filters_are_compared_in_nfc_like_keys(self, tmp_path: Path) -> None:
        assert load(tmp_path, "filters: {school: ['Pen\u0303on']}").filters["school"] == ("Pe\u00f1on",)


def test_nothing_in_settings_can_be_assigned(tmp_path: Path) -> None:
    settings = load(tmp_path)
    with pytest.raises(ValidationError):
        settings.execution.max_retries = 9  # type: ignore[misc]  # that it cannot be done is the point


@pytest.mark.parametrize("name", sorted(TAKEN_NAMES | {"page"}))
def test_no_document_field_is_named_like_another_column(tmp_path: Path, name: str) -> None:
    assert name in refused(tmp_path, f"record: {{document_fields: [state, {name}]}}")


@pytest.mark.parametrize(
    ("model", "thinking"),
    [
        ("{name: gemini-3.5-flash}", {"thinking_level": "LOW"}),
        ("{name: gemini-3.1-flash-lite, generation_config: {seed: 1}}", {"thinking_level": "MINIMAL"}),
        ("{name: gemini-2.5-flash}", {"thinking_budget": 512}),
        ("{name: other}", None),
        ("{generation_config: {thinkingConfig: {thinkingLevel: HIGH}}}", None),
        ("{generation_config: {thinking_config: null}}", None),
    ],
)
def test_thinking_is_low_unless_the_settings_say_otherwise(
    tmp_path: Path, model: str, thinking: dict[str, object] | None
) -> None:
    config = load(tmp_path, f"model: {model}").model.generation_config
    assert config.get("thinking_config") == thinking
    if "thinkingLevel" in model:
        assert config == {"thinkingConfig": {"thinkingLevel": "HIGH"}}
    if "null" in model:
        assert config == {}


def test_what_a_model_should_not_get_is_not_sent_and_remembered(tmp_path: Path) -> None:
    model = load(tmp_path, "model: {generation_config: {temperature: 0.1, seed: 1, thinking_config: null}}").model
    assert (model.generation_config, model.left_out) == ({"seed": 1}, ("temperature",))
    model = load(tmp_path, "model: {name: gemini-2.5-pro, generation_config: {temperature: 0.1}}").model
    assert (model.generation_config["temperature"], model.left_out) == (0.1, ())


def test_prices_of_ones_own_stand_beside_the_shipped_ones(tmp_path: Path) -> None:
    prices = load(tmp_path, "prices: {gemini-9: {input_usd: 1, output_usd: 2}}").prices
    assert (prices["gemini-9"].output_usd, prices["gemini-9"].batch_factor) == (2, 0.5)
    assert prices["gemini-3.5-flash"].output_usd == 9
    assert prices["gemini-3.8-flash"].afterwards is not None
    assert all(price.as_of and price.source for name, price in prices.items() if name != "gemini-9")


class TestTheEnvironment:
    def test_it_beats_the_file(self, tmp_path: Path) -> None:
        environ = {
            "QUIRE__EXECUTION__MAX_RETRIES": "5",
            "QUIRE__EXECUTION__DRY_RUN": "true",
            "QUIRE__BATCH__POLL_INTERVAL_SECONDS": "0.5",
            "QUIRE__COLLECTION": "2023",
            "QUIRE__SCHEMA": "mine:Page",
            "QUIRE__CONTEXT__MODE": "none",
            "QUIRE__PATHS__ALLOW_LIST": "null",
        }
        text = "execution: {max_retries: 1, batch_size_limit: 7}\npaths: {allow_list: lists}"
        settings = load(tmp_path, text, environ)
        assert settings.execution.model_dump(include={"max_retries", "batch_size_limit", "dry_run"}) == {
            "max_retries": 5,
            "batch_size_limit": 7,
            "dry_run": True,
        }
        assert settings.batch.poll_interval_seconds == 0.5
        assert (settings.collection, settings.schema_) == ("2023", "mine:Page")
        assert settings.context.mode is ContextMode.NONE
        assert settings.paths.allow_list is None

    def test_lists_and_mappings_are_json(self, tmp_path: Path) -> None:
        environ = {
            "QUIRE__RECORD__DOCUMENT_FIELDS": '["archive", "box", "year"]',
            "QUIRE__FILTERS__ARCHIVE": '["North", "007"]',
            "QUIRE__FILTERS__YEAR__START": "1849",
            "QUIRE__FILTERS__YEAR__END": "1852",
            "QUIRE__MODEL__NAME": "gemini-2.5-flash",
            "QUIRE__MODEL__GENERATION_CONFIG__TEMPERATURE": "0.2",
            "QUIRE__MODEL__GENERATION_CONFIG__thinkingConfig__thinkingBudget": "0",
            "QUIRE__UPLOADS": '{"upload_concurrency": 4}',
        }
        settings = load(tmp_path, "uploads: {upload_retry_attempts: 9}", environ)
        assert settings.record.document_fields == ("archive", "box", "year")
        assert settings.filters == {"archive": ("North", "007"), "year": Span(start=1849, end=1852)}
        assert settings.model.generation_config["temperature"] == 0.2
        assert settings.model.generation_config["thinkingConfig"] == {"thinkingBudget": 0}
        assert (settings.uploads.upload_concurrency, settings.uploads.upload_retry_attempts) == (4, 9)

    @pytest.mark.parametrize(
        ("name", "value", "line"),
        [
            ("QUIRE__EXECUTION__MAX_RETRIES", "500", "execution.max_retries: must be at most 100, not 500"),
            ("QUIRE__EXECUTION__MAX_RETRIES", "many", "execution.max_retries: must be a whole number"),
            ("QUIRE__EXECUTION", '{"max_retries": -1}', "execution.max_retries: must be at least 0, not -1"),
            ("QUIRE__EXECUTION", "5", "execution: must be a mapping of keys to values"),
            ("QUIRE__EXECUTION__DRY_RUN", "ja", "execution.dry_run: must be true or false"),
            ("QUIRE__FILTERS__STATE", "AL", "filters.state: must be a list of texts, or a range"),
            ("QUIRE__RECORD__DOCUMENT_FIELDS", "state", 'record.document_fields: must be JSON, like ["AL", "CA"]'),
            ("QUIRE__EXECUTION__MAX_RETRY", "5", "unknown key 'max_retry'; did you mean 'max_retries'?"),
            ("QUIRE__EXECUTOIN__MAX_RETRIES", "5", "unknown key 'executoin'; did you mean 'execution'?"),
            ("QUIRE__COLLECTION__X", "5", "unknown key 'x'; there is nothing below this setting"),
            ("QUIRE_EXECUTION__DRY_RUN", "1", "a setting's variable begins with QUIRE__"),
            ("QUIRE__GEMINI__API_KEY", "s3cret", "an API key does not belong into settings"),
        ],
    )
    def test_what_is_wrong_is_said_with_the_variables_name(
        self, tmp_path: Path, name: str, value: str, line: str
    ) -> None:
        assert refused(tmp_path, environ={name: value}).startswith(f"{name}: {line}")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("executoin: {}", "executoin: unknown key 'executoin'; did you mean 'execution'?"),
        ("model: {xyzzy: 1}", "model.xyzzy: unknown key 'xyzzy'; the keys here are name, generation_config"),
        ("schema_: a.b:C", "schema_: unknown key 'schema_'; did you mean 'schema'?"),
        ("execution: {max_retries: -1}", "execution.max_retries: must be at least 0, not -1"),
        ("execution: {max_retries: true}", "execution.max_retries: must be a number, not true or false"),
        ("execution: {max_retries: 1.5}", "execution.max_retries: must be a whole number"),
        ("execution: {max_retries: null}", "execution.max_retries: must be a whole number"),
        ("execution: [1]", "execution: must be a mapping of keys to values"),
        ("batch: {poll_interval_seconds: .inf}", "batch.poll_interval_seconds: must be a number"),
        ("collection: CA", "collection: must be small letters, digits, '_' and '-', at most 100"),
        ("collection: 2023", "collection: must be a text; put it in quotes"),
        ("prompt: {version: 1.10}", "prompt.version: must be a text; put it in quotes"),
        ("prompt: {name: ../secret}", "prompt.name: must be a name of letters"),
        ("schema: PageTranscript", "schema: must be like module.path:Class"),
        ("paths: {page_images: null}", "paths.page_images: must be a path"),
        ("record: {document: a/b}", "record.document: a field holds the path separator '/'"),
        ("record: {document_fields: [box, box]}", "record.document_fields: the field box stands there twice"),
        ("record: {document_fields: [Box]}", "record.document_fields.0: must be a name of small letters"),
        ("filters: {stat: [AL]}", "filters.stat: is no document field; they are state, school, year"),
        ("filters: {state: AL}", "filters.state: must be a list of texts, or a range with the keys start and end"),
        ("filters: {state: []}", "filters.state: an empty list lets nothing through"),
        ("filters: {state: [true]}", "filters.state: a filter's list holds texts; put each value in quotes"),
        ("filters: {year: {start: 1}}", "filters.year: a range has the keys start and end"),
        ("filters: {year: {start: 2, end: 1}}", "filters.year: the range ends before it begins"),
        ("filters: {year: {start: 1.5, end: 2}}", "filters.year: start and end are whole numbers"),
        ("context: {mode: both}", "context.mode: must be one of 'previous_result', 'previous_image' or 'none'"),
        ("record: {page_pattern: '('}", "record.page_pattern: is no regular expression: missing ), unterminated"),
        ("record: {page_pattern: '[0-9]+'}", "record.page_pattern: must hold the group (?P<page>...)"),
        ("limits: {tier: 4}", "limits.tier: must be at most 3, not 4"),
        ("limits: {enqueued_tokens: {flash: [1, 2]}}", "limits.enqueued_tokens.flash: must have at least 3 entry"),
        ("budget: {max_usd_total: -1}", "budget.max_usd_total: must be at least 0, not -1"),
        ("budget: {max_usd_total: true}", "budget.max_usd_total: must be a number, not true or false"),
        ("prices: {gemini-9: {input_usd: 1}}", "prices.gemini-9.output_usd: field required"),
        ("prices: {gemini-9: {input_usd: 1, output_usd: -1}}", "prices.gemini-9.output_usd: must be at least 0.0"),
        ("prices: {gemini-9: {in: 1}}", "prices.gemini-9.input_usd: field required"),
        ("context: {on_dead_dependency: no}", "context.on_dead_dependency: must be one of 'wait' or 'proceed'"),
        (
            "prices: {m: {input_usd: 1, output_usd: 1, afterwards: {input_usd: 1, output_usd: 1}}}",
            "prices.m: afterwards needs a valid_until",
        ),
        (
            "prices: {m: {input_usd: 1, output_usd: 1, valid_until: 2027-01-31, afterwards: {input_usd: 1, "
            "output_usd: 1, valid_until: 2027-01-31}}}",
            "prices.m: afterwards ends before it begins",
        ),
        (
            "prices: {m: {input_usd: 1, output_usd: 1, valid_until: soon}}",
            "prices.m.valid_until: must be a day such as 2026-12-31",
        ),
        (
            "model: {name: gemini-flash-latest}",
            "model.name: names that end in -latest move to another model by themselves: results could not be told "
            "apart, and what they cost is not known; name the model itself",
        ),
        (
            "model: {name: gemini-4-neon, generation_config: {thinking_config: {thinking_level: MINIMAL}}}",
            "model.generation_config.thinking_config.thinking_level: gemini-4-neon does not know the level MINIMAL",
        ),
        (
            "model: {generation_config: {candidate_count: 2}}",
            "model.generation_config.candidate_count: more than one answer to a page would be paid for and not read",
        ),
        ("model: {name: models/gemini-3.5-flash}", "model.name: must be a name of letters"),
        ("model: {generation_config: {responseMimeType: x}}", "model.generation_config: responseMimeType is set by"),
        ("model: {generation_config: {response_schema: {}}}", "model.generation_config: response_schema is set by"),
        ("gemini: {base_url: localhost:80}", "gemini.base_url: must be an address like"),
        ("gemini: {base_url: 'http://h/?key=s3cret'}", "gemini.base_url: must be scheme, host, port and path only"),
        ("gemini: {api_key: s3cret}", "gemini.api_key: an API key does not belong into settings"),
        ("GEMINI_API_KEY: s3cret", "GEMINI_API_KEY: an API key does not belong into settings"),
        ("model: {generation_config: {apiKey: s3cret}}", "model.generation_config.apiKey: an API key does not"),
        ("- a list", "must be a mapping of settings"),
        ("a: [1", "line 1: not good YAML"),
        (
            "collection: a\nexecution: {}\ncollection: b",
            "line 3: not good YAML: the key 'collection' stands there twice",
        ),
        ("model:\n  generation_config:\n    1: 2", "line 3: not good YAML: the key '1' is no text"),
        ("collection: !!python/object:os.system x", "line 1: not good YAML"),
    ],
)
def test_what_is_wrong_in_the_file_is_one_line(tmp_path: Path, text: str, line: str) -> None:
    said = refused(tmp_path, text)
    assert said.startswith(f"quire.yaml: {line}")
    assert "s3cret" not in said


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "".join(
                f"k{level}: &k{level} [{', '.join([f'*k{level - 1}' if level else 'x'] * 10)}]\n" for level in range(9)
            ),
            "line 4: not good YAML: more than 10,000 values",
        ),
        ("model: &m {generation_config: {again: *m}}", "line 1: not good YAML: an alias stands within what it names"),
        ("a: " + "[" * 100_000, "not good YAML: it is nested too deeply"),
        ("#" * 1_000_001, "it has more than 1,000,000 bytes; is it a configuration?"),
    ],
    ids=["a billion values", "an alias in itself", "deep", "long"],
)
def test_a_file_that_would_fill_the_memory_is_refused(tmp_path: Path, text: str, line: str) -> None:
    assert refused(tmp_path, text) == f"quire.yaml: {line}"


def test_of_several_problems_the_first_is_said_and_the_others_are_counted(tmp_path: Path) -> None:
    text = "execution: {max_retries: -1, batch_size_limit: 0}\nsafety: {x: 1}"
    assert refused(tmp_path, text).endswith("must be at least 0, not -1 (and 2 more)")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: there is no such file"):
        load_settings(tmp_path / "none.yaml", environ={})
    with pytest.raises(ConfigError, match="cannot be read: Is a directory; look what is wrong there, then run again"):
        load_settings(tmp_path, environ={})
    (tmp_path / "latin.yaml").write_bytes("collection: \xe9".encode("latin-1"))
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_settings(tmp_path / "latin.yaml", environ={})

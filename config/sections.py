"""The sections of a configuration file as frozen models: names, types, defaults, bounds and one sentence for each key.

What a value of a kind may look like is in ``values.py``; what values must be together, and where they come from, in
``settings.py``; how YAML and the environment are read, in ``loading.py``. ``docs/configuration.md`` is this file as a
table, and a test compares the two.
"""

from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import Field, PrivateAttr, model_validator
from pydantic_core import PydanticCustomError

from assets.context import ContextMode, described
from assets.domain.models import as_sent, left_out, refusal
from assets.domain.page_orders import AtGap
from config.values import (
    ApiVersion,
    BaseUrl,
    GenerationConfig,
    ModelName,
    Number,
    SafeName,
    Section,
    Whole,
)


class DeadDependency(StrEnum):
    """What the pages after a dead letter do."""

    WAIT = "wait"
    PROCEED = "proceed"


class PathsSection(Section):
    """Where files lie. Relative paths start from `root`."""

    source_documents: Path = Field(
        default=Path("dataset/source_documents"),
        description="PDF files, `{document fields}.pdf`, which the scan makes page images from. It need not exist.",
    )
    page_images: Path = Field(
        default=Path("dataset/page_images"),
        description="The scans, `{document fields}/{page}.jpg`, or another image format. Must exist when scanning, "
        "unless there are source documents.",
    )
    allow_list: Path | None = Field(
        default=None,
        description="A tree of `{document fields}/{page}.json`: only pages that have a file there are eligible. "
        "null: all pages are.",
    )
    output_results: Path = Field(
        default=Path("dataset/output_results"), description="The results, one JSON file a record. Made when missing."
    )
    manifests: Path = Field(
        default=Path("manifests"), description="The Parquet and JSON files of Quire itself. Made when missing."
    )
    prompts: Path | None = Field(
        default=None,
        description="A folder of own prompts, `{name}/{version}.jinja`. null: those that Quire brings along.",
    )
    schemas: Path | None = Field(
        default=None,
        description="A folder that the module in `schema` is imported from, before all others. null: none.",
    )


class RenderSection(Section):
    """How pages of PDFs become images."""

    dpi: Whole = Field(default=200, ge=36, le=1200, description="Pixels an inch.")
    max_side_pixels: Whole = Field(
        default=3072, ge=256, le=20_000, description="The longest side of an image; a larger page gets fewer dpi."
    )
    jpeg_quality: Whole = Field(default=85, ge=30, le=100, description="Of the JPEG that a page becomes.")
    lossless: bool = Field(
        default=False,
        description="A page that is just one JPEG, JPEG 2000 or CCITT image is taken out as it is, and not rendered: "
        "nothing is lost, and it takes less time.",
    )
    processes: Whole = Field(default=2, ge=1, le=64, description="How many documents are rendered at once.")


class ExecutionSection(Section):
    """How much is done at a time, and how often a record is tried."""

    max_retries: Whole = Field(
        default=3,
        ge=0,
        le=100,
        description="Retries of a record after its first try; 3 means four tries. Then it is a dead letter.",
    )
    batch_size_limit: Whole = Field(default=500, ge=1, le=100_000, description="The most records in one batch.")
    max_concurrent_batches: Whole = Field(
        default=20, ge=1, le=100, description="The most batches that are active at once. Gemini takes 100 a project."
    )
    max_records_per_run: Whole | None = Field(
        default=None,
        ge=0,
        le=1_000_000_000,
        description="The most records that one `quire run`, or one run of the deployment, sends, second tries included "
        "(`quire run --limit`). null: no limit.",
    )
    dry_run: bool = Field(
        default=False, description="A pass scans, plans and says what would be sent; it sends and settles nothing."
    )


class ModelSection(Section):
    """Which model reads the pages, and how it is set."""

    name: ModelName = Field(
        default="gemini-3.8-flash",
        description="The model's id, without `models/`. No `-latest`: such a name moves by itself.",
    )
    generation_config: GenerationConfig = Field(
        default_factory=lambda: {"max_output_tokens": 8192},
        description="Passed to Gemini as it is, but `temperature`, `top_p` and `top_k` not to Gemini 3 and later. The "
        "response's type and schema are set by Quire and refused here. Without a `thinking_config` of its own it gets "
        "a low one that fits the model; `null` leaves that to Gemini.",
    )
    _left_out: tuple[str, ...] = PrivateAttr(default=())

    @model_validator(mode="after")
    def _as_the_model_takes_it(self) -> Self:
        if (found := refusal(self.name, self.generation_config)) is not None:
            key, message = found
            where = {"key": f"model.generation_config.{key}", "message": message}
            raise PydanticCustomError("quire", "{message}", where)
        self._left_out = tuple(left_out(self.name, self.generation_config))
        object.__setattr__(self, "generation_config", as_sent(self.name, self.generation_config))
        return self

    @property
    def left_out(self) -> tuple[str, ...]:
        """The keys of ``generation_config`` in the file that are not sent to this model."""
        return self._left_out


class PromptSection(Section):
    """Which prompt is sent: `{paths.prompts}/{name}/{version}.jinja`."""

    name: SafeName = Field(default="page_transcript", description="The prompt's folder.")
    version: SafeName = Field(default="v1", description="The prompt's file, without `.jinja`.")


class ContextSection(Section):
    """What a page is told about the page before it."""

    mode: ContextMode = Field(
        default=ContextMode.PREVIOUS_RESULT,
        description=described(),
    )
    at_gap: AtGap = Field(
        default=AtGap.FOLLOW,
        description="Whether a page has the page before it where others are missing between the two, by their labels: "
        "`follow`, or `break`. With an allow list it is always `break`.",
    )
    max_chain: Whole | None = Field(
        default=None,
        ge=1,
        le=100_000,
        description="With `previous_result`: after so many pages that wait for each other the next one does not wait, "
        "and gets the image of the page before in place of its result. null: all pages of a chain wait in turn.",
    )
    on_dead_dependency: DeadDependency = Field(
        default=DeadDependency.WAIT,
        description="What the pages after a dead letter do: `wait` for a person, or `proceed` without its result.",
    )


class BatchSection(Section):
    """Times of batches at Gemini."""

    poll_interval_seconds: Number = Field(
        default=60, ge=0.1, le=86_400, description="Pause between two passes with `--watch`."
    )
    adoption_grace_seconds: Number = Field(
        default=900,
        ge=0,
        le=172_800,
        description="How long a job whose creation was ambiguous is looked for before its records are freed.",
    )
    request_timeout_seconds: Number = Field(
        default=60, ge=0.1, le=3_600, description="Time-out of one call to Gemini, uploads of a chunk included."
    )
    download_timeout_seconds: Number = Field(
        default=300, ge=0.1, le=86_400, description="Time-out of the download of a result file."
    )


class BudgetSection(Section):
    """What may be spent, in US dollars. Nothing that could pass a cap is sent."""

    max_usd_per_run: Number | None = Field(
        default=None, ge=0, le=1e9, description="By one `quire run`, or one run of the deployment. null: no cap."
    )
    max_usd_per_day: Number | None = Field(
        default=None, ge=0, le=1e9, description="By all batches that are sent on one day (UTC). null: no cap."
    )
    max_usd_total: Number | None = Field(
        default=None, ge=0, le=1e9, description="By all batches of the collection, ever. null: no cap."
    )
    expected_output_tokens: Whole = Field(
        default=1000,
        ge=1,
        le=1_000_000,
        description="What the answer to a page is taken to have in estimates, until there are answers to go by.",
    )
    expected_thinking_tokens: Whole = Field(
        default=300, ge=0, le=1_000_000, description="Likewise what the model thinks about a page."
    )


class UploadsSection(Section):
    """How page images are uploaded."""

    upload_retry_attempts: Whole = Field(
        default=3, ge=1, le=20, description="Tries in all for one image, each a fresh upload."
    )
    upload_retry_backoff_seconds: Number = Field(
        default=2, ge=0, le=3_600, description="Pause before the second try; it doubles with each further one."
    )
    upload_concurrency: Whole = Field(default=16, ge=1, le=256, description="Images that are uploaded at once.")
    max_side_pixels: Whole | None = Field(
        default=None,
        ge=256,
        le=20_000,
        description="The longest side of what goes up; a larger image is shrunk. The originals stay as they are. "
        "null: nothing is shrunk.",
    )
    jpeg_quality: Whole = Field(
        default=90, ge=30, le=100, description="Of the JPEG that an image becomes which Gemini does not take as it is."
    )


class GeminiSection(Section):
    """Which service is called. The key is not here: it is `GEMINI_API_KEY` in the environment."""

    base_url: BaseUrl | None = Field(
        default=None, description="Another address of the service, such as the emulator's. null: Google's."
    )
    api_version: ApiVersion = Field(default="v1", description="The version in the path of each call.")


class ViewSection(Section):
    """Where pages can be looked at in a browser."""

    url: BaseUrl | None = Field(
        default=None,
        description="The address of `quire view`, such as `http://127.0.0.1:8600`: reports of batches link to the "
        "pages that have failed. It also answers by the name in it. null: no links.",
    )


class ScanSection(Section):
    """How a scan looks at folders."""

    trust_folder_times: bool | None = Field(
        default=None,
        description="Whether a folder whose time of change is as it was is not looked into again. null: where a trial "
        "on its file system has shown that the time moves when a file comes or goes; `true`: also where nothing can be "
        "tried, as the folder cannot be written to; `false`: never. `quire scan --full` asks for every file.",
    )


class SafetySection(Section):
    """When a pass rather stops or waits for a person."""

    put_back_minutes: Whole = Field(
        default=60,
        ge=0,
        le=10_080,
        description="A submission that vanished from the active list is put back while it is younger than this. "
        "0: never.",
    )
    max_vanished_results: Whole = Field(
        default=100,
        ge=0,
        le=1_000_000_000,
        description="More finished records than this without their output stop the pass: a share is not mounted. It "
        "stops, too, when not one of them has its output any more.",
    )
    max_vanished_share: Number = Field(
        default=0.2,
        ge=0,
        le=1,
        description="Likewise more than this share of all finished records, and more than two.",
    )
    max_failed_batches_in_a_row: Whole = Field(
        default=5,
        ge=1,
        le=10_000,
        description="After so many batches without one success nothing is sent until `quire reset-breaker`.",
    )
    max_failure_rate: Number = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Likewise when more than this share of the last `window_records` records failed. A record counts "
        "once, by its last answer.",
    )
    window_records: Whole = Field(
        default=200,
        ge=1,
        le=1_000_000,
        description="Of how many records, whole batches of them, the share is taken; in a smaller collection, of as "
        "many as it has, 20 at least.",
    )
    keep_raw_days: Whole = Field(
        default=30,
        ge=0,
        le=36_500,
        description="How long the result file of a batch is kept in `manifests/raw` after the batch was closed. Until "
        "then it is always kept.",
    )
    keep_run_days: Whole | None = Field(
        default=90,
        ge=1,
        le=36_500,
        description="How long the runs of this collection stay in Prefect, with their logs and artifacts; the newest "
        "artifact of each name always does. `quire prune` removes older ones. null: all stay.",
    )
    max_image_pixels: Whole = Field(
        default=150_000_000,
        ge=1_000_000,
        le=2_000_000_000,
        description="A larger image, or one in a PDF, is left out: it could fill the memory when it is opened.",
    )

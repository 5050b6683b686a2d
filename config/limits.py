"""The section ``limits``: what Gemini takes from a project, and of a schema. Such limits move, so each is a setting."""

from pydantic import Field

from assets.domain.schema_limits import DEFAULT_LIMITS, SchemaLimits
from config.values import SHIPPED_ENQUEUED_TOKENS, EnqueuedTokens, Section, TierDollars, Whole


class LimitsSection(Section):
    """What Gemini takes from a project. Batches are cut and held back by it."""

    tier: Whole = Field(default=1, ge=1, le=3, description="The project's usage tier at Gemini.")
    concurrent_jobs: Whole = Field(default=100, ge=1, le=10_000, description="The most batches at Gemini at once.")
    usd_per_10_minutes: TierDollars | None = Field(
        default=(10.0, 50.0, 200.0),
        description="What Google lets a project spend in any 10 minutes, for the tiers 1, 2 and 3: no more is sent, by "
        "estimate. Whether batches count is not said. null: nothing is held back by it.",
    )
    input_file_bytes: Whole = Field(
        default=2_000_000_000, ge=1_000, le=2_000_000_000, description="The largest JSONL file of one batch."
    )
    storage_bytes: Whole = Field(
        default=20_000_000_000,
        ge=1_000,
        le=1_000_000_000_000,
        description="The most image bytes of all batches at Gemini together.",
    )
    enqueued_tokens: EnqueuedTokens = Field(
        default_factory=lambda: dict(SHIPPED_ENQUEUED_TOKENS),
        description="The most input tokens of all batches of a model at Gemini together, for the tiers 1, 2 and 3. The "
        "longest word that is part of the model's name counts; `other`, where none is. What your file leaves out is as "
        "shipped.",
    )
    schema_depth: Whole = Field(
        default=DEFAULT_LIMITS.depth,
        ge=2,
        le=100,
        description="The most objects and lists within each other in a schema: a deeper one is refused before anything "
        "is sent, and a model that contains itself is written out so far. Sources: docs/own-schema.md.",
    )
    schema_bytes: Whole = Field(
        default=DEFAULT_LIMITS.text_bytes,
        ge=1_000,
        le=1_000_000,
        description="The longest schema, as compact JSON: a longer one is refused likewise.",
    )
    schema_max_items: Whole = Field(
        default=DEFAULT_LIMITS.max_items,
        ge=0,
        le=1_000_000,
        description="The largest sum of the bounds of all lists of a schema: what is more goes into words.",
    )
    schema_enum_values: Whole = Field(
        default=DEFAULT_LIMITS.enum_values,
        ge=0,
        le=1_000_000,
        description="The most values of all enums of a schema together; likewise.",
    )
    schema_enum_chars: Whole = Field(
        default=DEFAULT_LIMITS.enum_chars,
        ge=0,
        le=1_000_000,
        description="The most characters of these values; likewise.",
    )

    def of_schema(self) -> SchemaLimits:
        return SchemaLimits(
            self.schema_depth,
            self.schema_bytes,
            self.schema_max_items,
            self.schema_enum_values,
            self.schema_enum_chars,
        )

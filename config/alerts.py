"""The section of a configuration file that says who is told what goes wrong, and from where on it does. All other
sections stand in `sections`.
"""

from pydantic import Field

from config.values import BlockName, Number, Section, Whole


class AlertsSection(Section):
    """Alarms: automations in Prefect, made by `quire automations apply`. null: that one is off."""

    send_to: tuple[BlockName, ...] = Field(
        default=(),
        max_length=10,
        description="Who is told: blocks in Prefect, `webhook/NAME`, or of a kind for notifications, such as "
        "`slack-webhook/NAME`.",
    )
    remind_hours: Number = Field(
        default=24, ge=1, le=720, description="How often a state that lasts is told again. The end of a model: weekly."
    )
    blocked_pages: Whole | None = Field(
        default=50,
        ge=0,
        le=1_000_000_000,
        description="Alarm when more pages than this wait behind dead letters or held pages.",
    )
    stall_hours: Number | None = Field(
        default=30,
        ge=1,
        le=720,
        description="Alarm when nothing has finished for so long though something is in flight.",
    )
    overdue_hours: Number | None = Field(
        default=40,
        ge=1,
        le=720,
        description="Alarm when a batch is in flight for so long. Gemini lets go of it after 48 hours.",
    )
    no_pass_hours: Number | None = Field(
        default=6,
        ge=0.003,
        le=720,
        description="Alarm when no pass has ended well for so long, and again after as long. Prefect's least is 10 "
        "seconds.",
    )
    silent_minutes: Number | None = Field(
        default=10,
        ge=2,
        le=1_440,
        description="A run that Prefect has not heard of for so long is marked as crashed, which is an alarm. Runs "
        "send a sign of life every 3 minutes; some of them can be lost.",
    )
    pass_hours: Number | None = Field(
        default=12,
        ge=0.003,
        le=720,
        description="Alarm when a pass takes longer than this: it hangs, or has much to upload.",
    )
    needs_person: bool = Field(
        default=True, description="Alarm when something waits for a person, and when something of another kind does."
    )

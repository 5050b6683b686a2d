"""Which model has answered, and until when it does: what answers tell of it (`modelVersion`, `modelStatus`), and the
lines that people read of that. What an answer costs by it stands in `spending`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.model_names import is_same_model, model_id
from assets.domain.models import NOTICE_DAYS
from assets.domain.settlements import by_settlement

NOTICE = timedelta(days=NOTICE_DAYS)


def read_retirement(response: Mapping[str, Any]) -> datetime | None:
    """When the model that answered will be retired (UTC), or None where nothing that can be a time is said."""
    status = response.get("modelStatus", response.get("model_status"))
    said = status.get("retirementTime", status.get("retirement_time")) if isinstance(status, Mapping) else None
    if not isinstance(said, str):
        return None
    try:
        found = datetime.fromisoformat(said)
        return found.astimezone(UTC) if found.tzinfo is not None else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def other_models(outcomes: pa.Table) -> dict[str, int]:
    """Model -> how many answers it gave although another was asked for, by name. ``outcomes``: columns model,
    model_version."""
    found: dict[str, int] = {}
    pairs = outcomes.group_by(["model", "model_version"], use_threads=False).aggregate([([], "count_all")])
    for row in pairs.to_pylist():
        if row["model_version"] and not is_same_model(row["model"], row["model_version"]):
            name = model_id(row["model_version"])
            found[name] = found.get(name, 0) + row["count_all"]
    return dict(sorted(found.items()))


def first_retirement(outcomes: pa.Table) -> datetime | None:
    """The earliest end that the answers speak of. ``outcomes``: column retires_at."""
    found: datetime | None = pc.min(outcomes["retires_at"]).as_py()
    return found


def replaced_line(model: str, answered_by: str) -> str:
    """``answered_by``: one name, or several with commas."""
    return f"{model} was asked for and {answered_by} has answered: its price counts; set model.name to the one you want"


def retirement_line(model: str, retires_at: datetime | None, moment: datetime) -> str | None:
    """A line once the end is near enough, or over. ``moment``: the present, UTC."""
    if retires_at is None or retires_at - moment >= NOTICE:
        return None
    days = (retires_at.date() - moment.date()).days
    day = f"{retires_at:%Y-%m-%d}"
    when = f"ends on {day}, in {days} days" if retires_at > moment else f"has ended on {day}"
    return f"what answers for {model} {when}, as its answers say: choose another model.name"


def model_notes(submissions: pa.Table, model: str, moment: datetime) -> list[str]:
    """What the newest answers of ``model`` tell of it, a line each. ``submissions``: SUBMISSIONS_SCHEMA of
    `assets.spending`."""
    answered_by, _ = _newest(submissions, model)
    lines = [replaced_line(model, answered_by)] if answered_by else []
    end = end_note(submissions, model, moment)
    return lines + ([end] if end is not None else [])


def end_note(submissions: pa.Table, model: str, moment: datetime) -> str | None:
    """The line about its end alone; likewise."""
    return retirement_line(model, _newest(submissions, model)[1], moment)


def _newest(submissions: pa.Table, model: str) -> tuple[str | None, datetime | None]:
    """Who else has answered, and until when, as the newest answers say."""
    mine = submissions.filter(pc.and_(pc.equal(submissions["model"], model), pc.greater(submissions["answers"], 0)))
    if not len(mine):
        return None, None
    in_order = mine.sort_by(by_settlement("closed_at"))
    [newest] = in_order.slice(len(mine) - 1).select(["answered_by", "retires_at"]).to_pylist()
    return newest["answered_by"], newest["retires_at"]

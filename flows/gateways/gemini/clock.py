"""What time it is at the service: the date of an HTTP answer. No key is sent."""

from datetime import datetime
from email.utils import parsedate_to_datetime

import httpx2

from assets.domain.errors import GeminiTransientError

ADDRESS = "https://generativelanguage.googleapis.com"
TIMEOUT_SECONDS = 10.0


async def service_time(base_url: str | None) -> datetime | None:
    """UTC, to the second; None where an answer has no date. Raises GeminiTransientError where there is no answer."""
    try:
        async with httpx2.AsyncClient(timeout=TIMEOUT_SECONDS) as client:
            answer = await client.head(base_url or ADDRESS)
    except httpx2.HTTPError as error:
        raise GeminiTransientError(f"{base_url or ADDRESS} does not answer: {type(error).__name__}") from None
    date = answer.headers.get("Date")
    return parsedate_to_datetime(date) if date else None

"""Who waits for the service, and until when."""

from datetime import UTC, datetime, timedelta

from assets.service_waits import postponed

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def test_who_has_waited_long_enough_can_go_and_each_further_fault_in_a_row_doubles_the_wait() -> None:
    met = {
        "once": (1, NOW - timedelta(seconds=299)),
        "over": (1, NOW - timedelta(seconds=300)),
        "thrice": (3, NOW - timedelta(seconds=300)),
        "many": (10_000, NOW - timedelta(hours=23)),
        "of a wrong clock": (1, NOW + timedelta(days=400)),
    }
    assert postponed(met, backoff_seconds=300, at=NOW) == {
        "once": NOW + timedelta(seconds=1),
        "thrice": NOW + timedelta(seconds=900),
        "many": NOW + timedelta(hours=1),
    }
    assert postponed(met, backoff_seconds=0, at=NOW) == {}

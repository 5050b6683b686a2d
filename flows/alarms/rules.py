"""The alarms of a collection as automations: which there are, by the settings, and what each is told by. A table in
docs/operations.md has the same, and a test compares the two.

Most go by an event of Quire's own (`assets.alarms`). What Quire cannot tell, since it does not run then, goes by the
runs themselves, which are known by their names: their tags come too late.
"""

from collections.abc import Iterator

from assets.alarms import EVENTS, State
from config.settings import Settings
from flows.gateways.prefect.automations import Rule
from flows.gateways.prefect.events import resource_of

PASS = "pipeline"  # noqa: S105 - a flow
CLOCKED = (PASS, "scan", "prune")
"""The flows that run by the clock."""
ENDED_WELL = frozenset({"prefect.flow-run.Completed", "prefect.flow-run.NeedsPerson"})
ENDED = ENDED_WELL | {
    f"prefect.flow-run.{state}" for state in ("Skipped", "Failed", "Crashed", "Cancelled", "TimedOut")
}
HEARTBEAT = "prefect.flow-run.heartbeat"
_RUN = "prefect.resource.id"

_PLAIN = "event.resource['prefect.state-message'][:300] | replace('<', '(') | replace('>', ')') | replace('@', '(at)')"
"""What a run ended with may have words of others in it, and chats call everybody where those say so."""
_TOLD = {
    State.BREAKER: "so much fails that nothing is sent",
    State.BUDGET: "a cap is reached",
    State.BLOCKED: "many pages wait behind dead letters",
    State.STALLED: "nothing finishes",
    State.UNWRITTEN: "answers are here and cannot be written",
    State.OVERDUE: "a batch is in flight for too long",
    State.RETIRING: "the model ends",
    State.PERSON: "something waits for a person",
}
"""State -> the end of its automation's name."""


def rules(settings: Settings) -> list[Rule]:
    """The automations that there should be."""
    return list(_of_states(settings)) + list(_of_runs(settings))


def _of_states(settings: Settings) -> Iterator[Rule]:
    alerts = settings.alerts
    is_off = {
        State.BLOCKED: alerts.blocked_pages is None,
        State.STALLED: alerts.stall_hours is None,
        State.OVERDUE: alerts.overdue_hours is None,
        State.PERSON: not alerts.needs_person,
    }
    for state, words in _TOLD.items():
        if not is_off.get(state, False):
            yield Rule(
                state.value,
                _name(settings, words),
                _description(state.value),
                match={"prefect.resource.id": [resource_of(settings.collection)]},
                expect=frozenset({EVENTS[state]}),
                message="event.payload.message",
            )


def _of_runs(settings: Settings) -> Iterator[Rule]:
    alerts, whose = settings.alerts, f"Collection {settings.collection}" if settings.collection else "The collection"
    run, state = "event.resource['prefect.resource.name']", "event.resource['prefect.state-name']"
    yield Rule(
        "failed",
        _name(settings, "a run has failed or crashed"),
        _description("failed"),
        match=_runs(settings, *CLOCKED),
        expect=frozenset({"prefect.flow-run.Failed", "prefect.flow-run.Crashed", "prefect.flow-run.TimedOut"}),
        # Each pass fails for as long as the cause is there.
        within_seconds=alerts.remind_hours * 3600,
        for_each=frozenset({"prefect.state-name"}),
        message=f"'The run ' ~ {run} ~ ' has ended as ' ~ {state} ~ ': ' ~ {_PLAIN}",
    )
    if alerts.silent_minutes is not None:
        yield Rule(
            "silent",
            _name(settings, "a run that died is marked as crashed"),
            _description("silent"),
            match=_runs(settings, *CLOCKED),
            after=frozenset({HEARTBEAT}),
            expect=ENDED | {HEARTBEAT},
            for_each=frozenset({_RUN}),
            is_proactive=True,
            within_seconds=alerts.silent_minutes * 60,
            message=f"Prefect has not heard of it for {alerts.silent_minutes:g} minutes: its process has died",
            crashes=True,
        )
    if alerts.pass_hours is not None:
        yield Rule(
            "hangs",
            _name(settings, "a pass takes too long"),
            _description("hangs"),
            match=_runs(settings, PASS),
            after=frozenset({HEARTBEAT}),
            expect=ENDED,
            for_each=frozenset({_RUN}),
            is_proactive=True,
            within_seconds=alerts.pass_hours * 3600,
            message=f"'The run ' ~ {run} ~ ' has not ended for {alerts.pass_hours:g} hours: it hangs, or has much "
            "to do.'",
        )
    if alerts.no_pass_hours is not None:
        yield Rule(
            "no-pass",
            _name(settings, "no pass has ended well"),
            _description("no-pass"),
            match=_runs(settings, PASS),
            expect=ENDED_WELL,
            is_proactive=True,
            within_seconds=alerts.no_pass_hours * 3600,
            message=f"'{whose}: no pass has ended well for {alerts.no_pass_hours:g} hours. Look whether passes are "
            "started at all, and at the last runs.'",
        )


def _runs(settings: Settings, *flows: str) -> dict[str, list[str]]:
    """Their runs, by the names that `flows.runtime.runs.named` gives them: ``pipeline ca 2026-11-26 10:20``. Parts of a
    pass have no time in theirs."""
    whose = f"{settings.collection} " if settings.collection else ""
    day = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-*"
    return {_RUN: ["prefect.flow-run.*"], "prefect.resource.name": [f"{flow} {whose}{day}" for flow in flows]}


def _name(settings: Settings, words: str) -> str:
    return f"Quire {settings.collection}: {words}" if settings.collection else f"Quire: {words}"


def _description(alarm: str) -> str:
    return f"The alarm {alarm}, made by quire automations apply. docs/operations.md says what to do."

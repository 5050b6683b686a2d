"""Automations at Prefect that belong to one collection: which there are, made, changed and removed. Prefect keeps for
each whose it is (``owner_resource``), so that others are never touched. What they are about stands in
`flows.alarms.rules`.

What is known of the rules of Prefect's server was read in its source (3.9.1, ``prefect/server/events/triggers.py``) and
seen in tests: a reactive trigger acts at once, then not again until ``within`` is over; a proactive one acts when
``within`` is over without what it expects.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import CallWebhook, ChangeFlowRunState, SendNotification
from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger, Posture
from prefect.exceptions import ObjectNotFound

from assets.domain.errors import QuireError
from flows.gateways.prefect.api import PrefectApi

WEBHOOK = "webhook"
"""The kind of the blocks that are called and not notified."""
MARK = "quire-alarm:"
"""Before the key of a rule, in a tag of its automation: people may give it another name."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One automation.

    ``key``: of the alarm; ``name``, ``description``: for people; ``match``: labels of the resource that an event is of,
    each with what it may be; ``expect``: the events that it acts on, and then not again for ``within_seconds``; or, if
    ``is_proactive``, acts on when they do not come within that time after one of ``after`` (none: at all);
    ``for_each``: the labels by which that is looked at apart; ``message``: an expression of Jinja that gives the text,
    in which ``event`` is the event, but for a proactive one without ``after``; ``crashes``: it marks the run as
    crashed, with ``message`` as it is, and tells nobody.
    """

    key: str
    name: str
    description: str
    match: Mapping[str, Sequence[str]]
    expect: frozenset[str]
    message: str
    within_seconds: float = 0
    is_proactive: bool = False
    after: frozenset[str] = frozenset()
    for_each: frozenset[str] = frozenset()
    crashes: bool = False


@dataclass(frozen=True, slots=True)
class Receiver:
    """A block that is told. ``kind``: ``webhook``, or the kind of a block for notifications."""

    block: UUID
    kind: str


@dataclass(frozen=True, slots=True)
class Found:
    """An automation of ours. ``is_same``: it is as its rule says; ``rule``: the key of the rule, "" where none is
    known."""

    id: UUID
    rule: str
    name: str
    is_enabled: bool
    is_same: bool


async def find_receiver(api: PrefectApi, name: str) -> Receiver | None:
    """``name``: ``webhook/alarms``. None: there is no such block. Raises QuireError for one that cannot be told
    anything, PrefectUnavailableError."""
    kind, _, block = name.partition("/")

    async def read(client: PrefectClient) -> Any:
        try:
            return await client.read_block_document_by_name(block, kind, include_secrets=False)
        except ObjectNotFound:
            return None

    document = await api.call(read)
    if document is None:
        return None
    can = document.block_schema.capabilities if document.block_schema is not None else []
    if kind != WEBHOOK and "notify" not in can:
        raise QuireError(f"the block {name} is neither a webhook nor one for notifications")
    return Receiver(document.id, kind)


async def find_automations(
    api: PrefectApi, owner: str, rules: Sequence[Rule], receivers: Sequence[Receiver], *, tags: Sequence[str]
) -> list[Found]:
    """Those of ``owner``, held against the rules; by name. Raises PrefectUnavailableError."""

    async def read(client: PrefectClient) -> list[Automation]:
        return await client.read_resource_related_automations(owner)

    wanted = {each.key: _automation(each, receivers, tags) for each in rules}
    found = []
    for each in await api.call(read):
        key = next((tag.removeprefix(MARK) for tag in each.tags if tag.startswith(MARK)), "")
        rule = wanted.get(key)
        found.append(Found(each.id, key, each.name, each.enabled, rule is not None and _said(rule) == _said(each)))
    return sorted(found, key=lambda each: (each.name, str(each.id)))


async def create_automation(
    api: PrefectApi, owner: str, rule: Rule, receivers: Sequence[Receiver], *, tags: Sequence[str]
) -> None:
    """Raises PrefectUnavailableError."""
    made = _automation(rule, receivers, tags)
    made.owner_resource = owner
    await api.call(lambda client: client.create_automation(made))


async def change_automation(
    api: PrefectApi, found: Found, rule: Rule, receivers: Sequence[Receiver], *, tags: Sequence[str]
) -> None:
    """As the rule says. Raises PrefectUnavailableError."""
    # Whether it is switched on is not said, and so stays as it is.
    made = _automation(rule, receivers, tags)
    await api.call(lambda client: client.update_automation(found.id, made))


async def delete_automation(api: PrefectApi, found: Found) -> None:
    """Raises PrefectUnavailableError."""

    async def send(client: PrefectClient) -> None:
        try:
            await client.delete_automation(found.id)
        except ObjectNotFound:
            """A try of ours took effect, and its answer was lost; or a person was quicker."""

    await api.call(send)


def _automation(rule: Rule, receivers: Sequence[Receiver], tags: Sequence[str]) -> AutomationCore:
    trigger = EventTrigger(
        match={label: list(values) for label, values in rule.match.items()},
        expect=set(rule.expect),
        after=set(rule.after),
        for_each=set(rule.for_each),
        posture=Posture.Proactive if rule.is_proactive else Posture.Reactive,
        threshold=1,
        within=rule.within_seconds,
    )
    actions = (
        [ChangeFlowRunState(state=StateType.CRASHED, name="Crashed", message=rule.message)]
        if rule.crashes
        else [_telling(rule, each) for each in receivers]
    )
    return AutomationCore(
        name=rule.name,
        description=rule.description,
        tags=[*tags, f"{MARK}{rule.key}"],
        trigger=trigger,
        actions=actions,
    )


def _telling(rule: Rule, receiver: Receiver) -> CallWebhook | SendNotification:
    if receiver.kind != WEBHOOK:
        body = f"{{{{ {rule.message} }}}}"
        return SendNotification(block_document_id=receiver.block, subject=rule.name, body=body)
    # What chats understand is a text; the rest is for programs.
    has_event = bool(rule.after) or not rule.is_proactive
    parts = {"text": f"{{{{ ({rule.message}) | tojson }}}}", "alarm": json.dumps(rule.key)}
    if has_event:
        parts |= {"event": "{{ event.event | tojson }}", "payload": "{{ event.payload | tojson }}"}
    payload = ", ".join(f"{json.dumps(name)}: {value}" for name, value in parts.items())
    return CallWebhook(block_document_id=receiver.block, payload=f"{{{payload}}}")


def _said(automation: AutomationCore) -> Any:
    """What it says, whatever the order of its sets, and without what is not the rule's."""
    document = automation.model_dump(mode="json", exclude={"id", "enabled", "owner_resource"})
    return _in_order(document)


def _in_order(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _in_order(each) for name, each in value.items()}
    if isinstance(value, list):
        return sorted((_in_order(each) for each in value), key=lambda each: json.dumps(each, sort_keys=True))
    return value

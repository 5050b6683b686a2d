"""``quire automations``: the alarms in Prefect made as the settings say, shown, or removed. Only what belongs to this
collection is touched.
"""

from collections.abc import Sequence

from config.settings import Settings, load_settings
from flows.alarms.rules import rules
from flows.gateways.prefect.api import PrefectApi
from flows.gateways.prefect.automations import (
    Found,
    Receiver,
    Rule,
    change_automation,
    create_automation,
    delete_automation,
    find_automations,
    find_receiver,
)
from flows.gateways.prefect.events import resource_of
from flows.runtime.wiring import config_path

HOW_TO = "make one under Blocks in Prefect's UI (docs/operations.md), and name it as kind/name, such as webhook/alarms"


async def apply_text(config: str | None, *, dry_run: bool = False) -> str:
    """Make, change and remove until Prefect has what the settings say; a line for each that is not so yet. Raises
    QuireError."""
    settings = load_settings(config_path(config))
    async with PrefectApi() as api:
        receivers = await _receivers(api, settings)
        wanted = rules(settings)
        found = await _found(api, settings, wanted, receivers)
        lines: list[str] = []
        kept: set[str] = set()
        for each in found:
            rule = next((rule for rule in wanted if rule.key == each.rule), None)
            if rule is None or each.rule in kept:
                lines.append(f"removed: {each.name}")
                if not dry_run:
                    await delete_automation(api, each)
                continue
            kept.add(each.rule)
            if not each.is_same:
                lines.append(f"changed: {rule.name}")
                if not dry_run:
                    await change_automation(api, each, rule, receivers, tags=_tags(settings))
        for rule in wanted:
            if rule.key not in kept:
                lines.append(f"made: {rule.name}")
                if not dry_run:
                    await create_automation(
                        api, resource_of(settings.collection), rule, receivers, tags=_tags(settings)
                    )
    told = f"{len(wanted)} automations tell {', '.join(settings.alerts.send_to)}"
    if dry_run:
        return "\n".join([*lines, "Nothing is written." if lines else f"{told}; nothing is to be changed"])
    return "\n".join([*lines, told if lines else f"{told}; they were there already"])


async def list_text(config: str | None) -> str:
    """A line for each that there is or should be. Raises QuireError."""
    settings = load_settings(config_path(config))
    async with PrefectApi() as api:
        wanted = rules(settings)
        # Who is told may have gone; the list is there to show it.
        names = settings.alerts.send_to
        receivers = [each for name in names if (each := await find_receiver(api, name)) is not None]
        found = await _found(api, settings, wanted, receivers)
    rows = [(each.rule or "?", _state(each, wanted), each.name) for each in found]
    there = {each.rule for each in found}
    rows += [(rule.key, "not made", rule.name) for rule in wanted if rule.key not in there]
    width = max((len(key) for key, _, _ in rows), default=0)
    lines = [f"{key:<{width}}  {state:<17}  {name}" for key, state, name in sorted(rows)]
    return "\n".join([*lines, f"they tell {', '.join(names)}" if names else "alerts.send_to names nobody who is told"])


async def delete_text(config: str | None, *, dry_run: bool = False) -> str:
    """Remove all of this collection's. Raises QuireError."""
    settings = load_settings(config_path(config))
    async with PrefectApi() as api:
        found = await _found(api, settings, [], [])
        for each in found if not dry_run else ():
            await delete_automation(api, each)
    lines = [f"removed: {each.name}" for each in found]
    end = "there is none" if not found else "Nothing is written." if dry_run else f"{len(found)} automations removed"
    return "\n".join([*lines, end])


async def _receivers(api: PrefectApi, settings: Settings) -> list[Receiver]:
    names = settings.alerts.send_to
    if not names:
        raise settings.error("alerts.send_to", f"names nobody who is told; it lists blocks in Prefect: {HOW_TO}")
    found = []
    for name in names:
        receiver = await find_receiver(api, name)
        if receiver is None:
            raise settings.error("alerts.send_to", f"Prefect has no block {name}: {HOW_TO}")
        found.append(receiver)
    return found


async def _found(
    api: PrefectApi, settings: Settings, wanted: Sequence[Rule], receivers: Sequence[Receiver]
) -> list[Found]:
    return await find_automations(api, resource_of(settings.collection), wanted, receivers, tags=_tags(settings))


def _tags(settings: Settings) -> list[str]:
    return ["quire", settings.collection or "main"]


def _state(each: Found, wanted: Sequence[Rule]) -> str:
    if each.rule not in {rule.key for rule in wanted}:
        return "to be removed"
    if not each.is_same:
        return "to be changed"
    return "on" if each.is_enabled else "switched off"

"""The terms of a run: what of the settings it keeps from its opening to its end, whatever they say at a later start.

`bot.settings.shape` says of each setting what a change of it does to an open run. What the run keeps is in its
first event and is read from there alone: this module is the only one that reads these settings, once for that event,
and at each later start to tell which of them say otherwise. All others are read where they are needed, and a change of
them harms no open run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bot.plan.events import Entitlement, Parties, Rules, RunOpened
from bot.plan.findings import Finding
from bot.plan.gates import KNOWN
from bot.plan.inputs import Open
from bot.plan.plan import Plan
from bot.plan.practice import Practice
from bot.plan.quorum import people_needed
from bot.settings import Settings, plan_of

KEPT: Mapping[str, Callable[[RunOpened], object]] = {
    "run.start": lambda opened: "on-word" if opened.rules.start_on_word else "now",
    "freeze.mode": lambda opened: opened.rules.freeze_mode,
    "freeze.hold_locks": lambda opened: opened.rules.hold_locks,
    "export.include_schemas": lambda opened: opened.rules.include_schemas,
    "export.exclude_tables": lambda opened: opened.rules.exclude_tables,
    "users.mode": lambda opened: opened.users_mode,
    "users.verify": lambda opened: opened.rules.users_verify,
    "users.accept": lambda opened: opened.accepted_ahead,
    "users.retain_days": lambda opened: opened.retain_days,
    "window.minutes": lambda opened: opened.rules.window_minutes,
}
"""By setting, what the run was opened with."""


def open_by(
    settings: Settings,
    *,
    run_id: str,
    parties: Parties,
    way_back: str,
    source_tls: Finding | None,
    abandons: str,
    practice: Practice | None,
    estimated_rows: int | None,
    api_counts: bool,
    names: Mapping[str, str],
) -> Open:
    """What opens a run on the terms of these settings."""
    return Open(
        run_id=run_id,
        parties=parties,
        channel=settings.slack.channel or "",
        approvers=settings.approvers.users,
        retain_days=settings.users.retain_days,
        accepted_ahead=settings.users.accept,
        users_mode=settings.users.mode,
        rules=rules_of(settings),
        way_back=way_back,
        source_tls=source_tls,
        abandons=abandons,
        practice=practice,
        estimated_rows=estimated_rows,
        api_counts=api_counts,
        names=names,
        plan=plan_of(settings),
    )


def rules_of(settings: Settings) -> Rules:
    return Rules(
        groups=settings.approvers.groups,
        approvals={gate.name: settings.checkpoints.each[gate.name].approvals for gate in plan_of(settings).gates},
        deny_same_person=settings.approvers.deny_same_person,
        freeze_mode=settings.freeze.mode,
        hold_locks=settings.freeze.hold_locks,
        users_verify=settings.users.verify,
        window_minutes=settings.window.minutes,
        start_on_word=settings.run.start == "on-word",
        include_schemas=settings.export.include_schemas,
        exclude_tables=settings.export.exclude_tables,
    )


def otherwise(opened: RunOpened, settings: Settings) -> tuple[str, ...]:
    """The settings that say otherwise than when the run was opened, and of which it keeps its own."""
    kept, said = _of_the_plan(opened.plan), _of_the_plan(plan_of(settings))
    return (
        *(name for name, kept in KEPT.items() if _plain(kept(opened)) != _plain(_said(settings, name))),
        *(name for name in {**kept, **said} if kept.get(name, {}) != said.get(name, {})),
    )


def _of_the_plan(plan: Plan) -> dict[str, object]:
    """By setting, what the plan holds of it."""
    return {
        "plan.gates": [gate.name for gate in plan.gates if gate.name in KNOWN],
        "plan.own": [gate.model_copy(update={"checklist": {}}) for gate in plan.gates if gate.name not in KNOWN],
        **{f"checkpoints.{gate.name}.checklist": gate.checklist for gate in plan.gates},
    }


def _said(settings: Settings, name: str) -> object:
    section, key = name.split(".")
    return getattr(getattr(settings, section), key)


def _plain(value: object) -> object:
    """In a list no order counts."""
    return frozenset(value) if isinstance(value, tuple) else value


def entitlement_of(settings: Settings) -> Entitlement:
    rules = rules_of(settings)
    return Entitlement(
        users=settings.approvers.users,
        groups=rules.groups,
        approvals=rules.approvals,
        deny_same_person=rules.deny_same_person,
    )


def people_needed_by(settings: Settings) -> int:
    """How many different approvers the night takes."""
    rules = rules_of(settings)
    return people_needed(plan_of(settings), rules.approvals, deny_same_person=rules.deny_same_person)

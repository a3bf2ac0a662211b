"""A setting that is changed while a run is open: harmless, or the run keeps its own and says so once."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from bot import settings
from bot.plan.gates import KNOWN
from bot.plan.inputs import TakeUp
from bot.plan.posts import Prose
from bot.plan.text import plain
from bot.plan.texts import alarms
from bot.settings import Settings
from bot.settings.shape import Checkpoints, InAnOpenRun
from bot.terms import KEPT, entitlement_of, otherwise, rules_of
from tests.plan.histories import ANN, BEN, Night

_ROOT = Path(__file__).parents[2]
_GATES = (0, pytest.param(1, marks=pytest.mark.all), 4)
_ANOTHER: dict[str, Any] = {
    "slack_bot_token": "xoxb-2",
    "slack_app_token": "xapp-2",
    "slack_signing_secret": "signing",
    "port": 3001,
    "slack_api_url": "http://127.0.0.1:1/",
    "supabase_db_url": "postgresql://postgres:two@db.abcdefghijklmnopqrst.supabase.co:5432/postgres",
    "supabase_url": "https://abcdefghijklmnopqrst.supabase.co/",
    "supabase_service_role_key": "sb_secret_2",
    "supabase_anon_key": "sb_publishable_2",
    "stack_auth_project_id": "p-2",
    "stack_auth_secret_key": "ssk_2",
    "stack_auth_publishable_key": "pck_2",
    "canary_email": "two@example.com",
    "canary_password": "two",
    "stack_auth_api_url": "https://two.example.com",
    "migration_data_dir": "elsewhere",
    "slack.channel": "C0ELSEWHERE",
    "approvers.users": [ANN],
    "approvers.groups": ["S0OPS"],
    "approvers.deny_same_person": True,
    "run.start": "on-word",
    "run.ephemeral_ok": True,
    **{f"checkpoints.{gate}.approvals": 2 for gate in Checkpoints.model_fields},
    **{f"checkpoints.{gate}.checklist": {"dns-ttl": "DNS TTL is 60 s"} for gate in Checkpoints.model_fields},
    "checkpoints.live.urls": [{"url": "https://new.example.com", "text": "welcome"}],
    "checkpoints.stable.hours": 72,
    "plan.gates": ["readiness", "freeze", "export", "users"],
    "plan.own": [{"name": "dns", "after": "users", "signal": "dns-ready", "claim": "names are moved"}],
    "freeze.mode": "bot",
    "freeze.quiet_seconds": 20,
    "freeze.hold_locks": True,
    "freeze.notice_url": "https://two.example.com",
    "freeze.notice_text": "two",
    "export.workers": 8,
    "export.include_schemas": ["public"],
    "export.exclude_tables": ["public.logs"],
    "users.mode": "match",
    "users.concurrency": 8,
    "users.verify": "sample",
    "users.accept": ["phone-only"],
    "users.retain_days": 30,
    "window.minutes": 90,
    "reminders.minutes": 0,
}
"""By setting, a value that is not its default."""


def _every(model: type[BaseModel] = Settings, place: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        if isinstance(field.default, BaseModel):
            yield from _every(type(field.default), f"{place}{name}.")
        else:
            yield f"{place}{name}", field


_OF_THE_PLAN = {"plan.gates", "plan.own", *(f"checkpoints.{gate}.checklist" for gate in Checkpoints.model_fields)}
_MARKS = {name: [m for m in field.metadata if isinstance(m, InAnOpenRun)] for name, field in _every()}
_BEFORE = {
    "CUTOVER__PLAN__GATES": json.dumps(list(KNOWN)),
    "CUTOVER__APPROVERS__USERS": json.dumps([ANN, BEN]),
    "CANARY_EMAIL": "one@example.com",
    "CANARY_PASSWORD": "one",
}


def _settings(**changed: Any) -> Settings:
    """As a start reads them."""
    environment = dict(_BEFORE)
    aliases = {name: str(field.validation_alias) for name, field in _every() if "." not in name}
    for name, value in changed.items():
        variable = aliases.get(name) or f"CUTOVER__{name.replace('.', '__').upper()}"
        environment[variable] = value if isinstance(value, str) else json.dumps(value)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", environment)
        return settings.load(directory=Path("/nowhere"))


def _opened(gates: int) -> Night:
    """A run that these settings opened, behind so many gates."""
    before = _settings()
    night = Night(
        rules=rules_of(before),
        accepted_ahead=before.users.accept,
        approvers=before.approvers.users,
        plan=settings.plan_of(before),
    )
    night.talk()
    for _ in range(gates):
        night.go_on()
    return night


def _started(night: Night, now: Settings) -> list[str]:
    """What a start with these settings tells, but for its being back."""
    there = set(night.run.deliveries)
    night.do(TakeUp(entitlement=entitlement_of(now), otherwise=otherwise(night.run.opened, now)))
    told = [d.post for key, d in night.run.deliveries.items() if key not in there and "/alarm/back/" not in key]
    assert all(isinstance(post.body, Prose) and post.status == "done" for post in told)
    return [plain(post.body.text) for post in told if isinstance(post.body, Prose)]


def test_of_every_setting_it_is_decided_what_a_change_does() -> None:
    """By one mark each, in the place where it is declared; what a run keeps can be read from its first event."""
    assert {name: len(marks) for name, marks in _MARKS.items() if len(marks) != 1} == {}
    assert {name for name, [mark] in _MARKS.items() if mark is InAnOpenRun.KEPT} == {*KEPT, *_OF_THE_PLAN}
    assert set(_ANOTHER) == set(_MARKS)


@pytest.mark.parametrize("gates", _GATES)
@pytest.mark.parametrize("name", sorted(_MARKS))
def test_a_setting_that_is_changed_at_a_gate(name: str, gates: int) -> None:
    """What the run keeps is reported once, in one sentence, and not again when it is put back or changed once more; who
    may open gates is reported by itself; of all else nothing is said, and nothing of the run is another.
    """
    night, now = _opened(gates), _settings(**{name: _ANOTHER[name]})
    opened = night.run.opened
    told = _started(night, now)
    [mark] = _MARKS[name]
    if mark is InAnOpenRun.KEPT:
        assert told == [plain(alarms.kept([name]))]
    elif mark is InAnOpenRun.STRICTER:
        assert len(told) == 1
        assert told[0].startswith("This start's settings name other approvers")
    else:
        assert told == []
    assert night.run.opened == opened
    if mark is not InAnOpenRun.STRICTER:
        assert _started(night, now) == _started(night, _settings()) == _started(night, now) == []
    assert night.restarted() == night.run


def test_all_that_is_kept_is_reported_in_one_sentence() -> None:
    """And whatever is changed at a later start besides in another."""
    night, kept = _opened(1), {name: _ANOTHER[name] for name in KEPT}
    last = kept.popitem()
    [told] = _started(night, _settings(**kept))
    assert told.startswith("This run keeps `run.start`, `freeze.mode`, ")
    assert told.count("`") == 2 * len(kept)
    [told] = _started(night, _settings(**kept, **dict([last])))
    assert told.startswith(f"This run keeps `{last[0]}` as")


def test_a_list_in_another_order_is_no_change() -> None:
    """Nor is a name that is there twice."""
    before = _settings(**{"export.exclude_tables": ["public.a", "public.b"]})
    night = Night(rules=rules_of(before), approvers=before.approvers.users, plan=settings.plan_of(before))
    assert _started(night, _settings(**{"export.exclude_tables": ["public.b", "public.a", "public.b"]})) == []


def test_what_a_run_keeps_is_read_from_its_first_event_alone() -> None:
    """No module but the terms takes it from the settings, where a later start may say otherwise."""
    readers = {
        (path.relative_to(_ROOT).as_posix(), name)
        for path in (_ROOT / "bot").rglob("*.py")
        for name in KEPT
        if re.search(rf"\b(settings|chosen)\.{re.escape(name)}\b", path.read_text(encoding="utf-8"))
    }
    before_a_run = {("bot/edges/preflights.py", "users.accept")}  # the doctor looks up its names
    assert {path for path, _ in readers - before_a_run} == {"bot/terms.py"}
    assert {name for _, name in readers} == set(KEPT)

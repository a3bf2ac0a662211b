"""Whose approvals are valid, and what is posted when they were judged again and not all still were.

Nobody is called by it. That finding cannot be waived: it is about who may open the gate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.obstacles import SLACK_AWAY
from bot.plan.findings import Finding, failed
from bot.plan.gate import Gate
from bot.plan.offer import Offer
from bot.plan.text import TICK, Person, Text, joined


def approved_by(offer: Offer) -> Text:
    """As a clause."""
    by = [Person(given.user, name=given.name) for given in offer.standing]
    return joined(["approved by", joined(by, by=" and ")])


def lapsed(gate: Gate, gone: Mapping[str, str], kept: Sequence[str], names: Mapping[str, str]) -> Finding:
    """`gone` says by person why their approval counts no longer, as a clause; `names` what they are called."""
    each = "; ".join(f"the approval of {_person(user, names)} no longer counts: {why}" for user, why in gone.items())
    rest = f" The approval of {_people(kept, names)} is kept." if kept else ""
    another = "another approver says" if len(gone) == 1 else "other approvers say"
    return failed(
        "approvers-entitled",
        f"Every check passed, but {each}.{rest}",
        f"{another.capitalize()} `{gate.signal}`; then everything is checked again.",
    )


def not_known(gate: Gate, users: Sequence[str], names: Mapping[str, str]) -> Finding:
    return failed(
        "approvers-entitled",
        f"Every check passed, but Slack did not say whether {_people(users, names)} may still open this checkpoint, so "
        "it stays closed.",
        f"{SLACK_AWAY.next_step} Then say `{gate.signal}` again; everything is checked again.",
    )


def _people(users: Sequence[str], names: Mapping[str, str]) -> str:
    return " and ".join(_person(user, names) for user in users)


def _person(user: str, names: Mapping[str, str]) -> str:
    """In a finding, where what is between backticks is code."""
    name = names.get(user, "").replace("`", TICK)
    return f"{name} (`{user}`)" if name else f"`{user}`"

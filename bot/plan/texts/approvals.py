"""What the channel is told when the approvals of a gate were judged again and did not all stand.

People are named by their ids as code, so that nobody is called. It cannot be waived: it is about who may open the gate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.obstacles import SLACK_AWAY
from bot.plan.findings import Finding, failed
from bot.plan.gate import Gate


def lapsed(gate: Gate, gone: Mapping[str, str], kept: Sequence[str]) -> Finding:
    """`gone` says by person why their approval counts no longer, as a clause."""
    each = "; ".join(f"the approval of `{user}` no longer counts: {why}" for user, why in gone.items())
    rest = f" The approval of {_ids(kept)} is kept." if kept else ""
    another = "another approver says" if len(gone) == 1 else "other approvers say"
    return failed(
        "approvers-entitled",
        f"Every check passed, but {each}.{rest}",
        f"{another.capitalize()} `{gate.signal}`; then everything is checked again.",
    )


def not_known(gate: Gate, users: Sequence[str]) -> Finding:
    return failed(
        "approvers-entitled",
        f"Every check passed, but Slack did not say whether {_ids(users)} may still open this checkpoint, so it "
        "stays closed.",
        f"{SLACK_AWAY.next_step} Then say `{gate.signal}` again; everything is checked again.",
    )


def _ids(users: Sequence[str]) -> str:
    return " and ".join(f"`{user}`" for user in users)

"""Who may open gates: by the settings that the run was opened with and by those that this process was given.

Whoever is to act must be entitled by both, and of what they ask for the stricter counts: nobody gets a say in an open
run by an edit of its settings, and whoever was taken out of them has none any more. Values only; who is in a user group
is asked of Slack.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.plan.events import Entitlement


@dataclass(frozen=True, kw_only=True)
class Entitled:
    opened: Entitlement
    today: Entitlement

    @property
    def each(self) -> tuple[Entitlement, ...]:
        """Those by each of which a person must be entitled: one where both say the same."""
        return (self.opened,) if self.today.says_the_same_as(self.opened) else (self.opened, self.today)

    @property
    def may(self) -> tuple[str, ...]:
        """People and user groups by their Slack ids. Where the two differ, whoever is in both; a person who is listed
        in one may be in a group of the other.
        """
        opened, today = self.opened, self.today
        both = [
            *(user for user in opened.users if user in today.users or today.groups),
            *(user for user in today.users if user not in opened.users and opened.groups),
            *(group for group in opened.groups if group in today.groups),
        ]
        return tuple(both) or opened.may

    def needed(self, checkpoint: str) -> int:
        """How many distinct people's approvals the gate takes."""
        return max(entitlement.approvals.get(checkpoint, 1) for entitlement in self.each)

    @property
    def deny_same_person(self) -> bool:
        return any(entitlement.deny_same_person for entitlement in self.each)

"""A gate as it was put before people, and the approvals that were given for it. Values only.

An approval lives through these states; only the first two are unspent, and `status` tells what became of it:

    received    it counts, and the gate waits for another person's
    checking    the gate's examiners try to prove the claim wrong
    spent       the gate passed on it
    refused     the examiners found something
    withdrawn   somebody said `hold`
    lapsed      whoever gave it may give none any more
    void        what it was given for has moved
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from bot.plan.changed import replace
from bot.plan.events import SignalAccepted

OfferStatus = Literal["waiting", "verifying", "refused", "passed", "void"]
ApprovalState = Literal["received", "checking", "spent", "refused", "withdrawn", "lapsed", "void"]
_STANDS: frozenset[ApprovalState] = frozenset({"received", "checking", "spent"})
_UNSPENT: frozenset[ApprovalState] = frozenset({"received", "checking"})


@dataclass(frozen=True, kw_only=True)
class Approval:
    given: SignalAccepted
    state: ApprovalState = "received"


@dataclass(frozen=True, kw_only=True)
class Offer:
    """`approvals` are all that were given for it, in order; `needed` is how many distinct people's it takes."""

    checkpoint: str
    number: int
    evidence: Mapping[str, Any]
    digest: str
    at: datetime
    needed: int = 1
    status: OfferStatus = "waiting"
    approvals: tuple[Approval, ...] = ()
    attempt: int = 0
    """The last verification begun for it; 0 before the first."""
    reminders: int = 0

    @property
    def is_open(self) -> bool:
        """It can still be passed."""
        return self.status in {"waiting", "verifying", "refused"}

    @property
    def by(self) -> tuple[str, ...]:
        """Whose approvals are still valid, spent ones too, in the order they were given."""
        return tuple(given.user for given in self.standing)

    @property
    def given_last(self) -> SignalAccepted | None:
        """The last approval that is still valid."""
        return self.standing[-1] if self.standing else None

    @property
    def standing(self) -> tuple[SignalAccepted, ...]:
        """The approvals that are still valid, spent ones too, in the order they were given."""
        return tuple(approval.given for approval in self.approvals if approval.state in _STANDS)

    @property
    def missing(self) -> int:
        """How many more people's approvals it takes."""
        return max(0, self.needed - len(self.by))

    def approved(self, given: SignalAccepted) -> Offer:
        """With one more approval; when no other is missing, all of them are checked."""
        offer = replace(self, approvals=(*self.approvals, Approval(given=given)), status="waiting")
        return offer if offer.missing else replace(offer._turned("checking"), status="verifying")

    def lapsed(self, ts: str) -> Offer:
        """Without the approval that was given with this message; the others wait for one in its place."""
        kept = tuple(replace(a, state="lapsed") if a.given.ts == ts else a for a in self.approvals)
        return replace(replace(self, approvals=kept)._turned("received"), status="waiting")

    def taking(self, needed: int) -> Offer:
        """When it now takes so many people, of whom some have approved already."""
        offer = replace(self, needed=needed)
        if self.status not in {"waiting", "verifying"}:
            return offer
        if offer.missing:
            return replace(offer._turned("received"), status="waiting")
        return replace(offer._turned("checking"), status="verifying")

    @property
    def checking(self) -> tuple[SignalAccepted, ...]:
        """The approvals on which it would pass now."""
        return tuple(approval.given for approval in self.approvals if approval.state == "checking")

    def settled(self, status: OfferStatus, state: ApprovalState) -> Offer:
        """With this status, and all unspent approvals in this state."""
        return replace(self._turned(state), status=status)

    def _turned(self, state: ApprovalState) -> Offer:
        turned = tuple(replace(a, state=state) if a.state in _UNSPENT else a for a in self.approvals)
        return replace(self, approvals=turned)

"""What people agreed to, by the contract: approvals, ticks, waivers and accepted reasons, each with what stood in the
channel when it was given.
"""

from __future__ import annotations

from datetime import timedelta

from bot.plan import events as e
from bot.plan.findings import Verdict

from .chart import STEPS
from .witness_notes import NOT_YET, Notes
from .witnessed import Waiver

SECOND_YES_WITHIN = timedelta(minutes=10)


class Consent(Notes):
    def has_approved(self, ts: str) -> bool:
        return ts in self.approvals

    def spend(self) -> None:
        self.used |= set(self.approvals)
        self.approvals.clear()

    def is_noted(self, event: e.ItemTicked | e.ItemUnticked | e.ItemAccepted) -> None:
        told, name = self.said[event.ts], f"{self.at}/{self.list_number}"
        saw = told.digest == name if told.digest else self.stood_at(f"/checklist/{name}") < told.at
        words = {e.ItemTicked: f"tick {event.item}", e.ItemUnticked: f"untick {event.item}"}
        word = words.get(type(event), f"accept item-{event.item}: ")
        may = event.ts in (self.approvers_word if isinstance(event, e.ItemAccepted) else self.members_word)
        ok = saw and may and word in told.text and (event.checkpoint, event.user) == (self.at, told.user)
        self.holds("tick-counts", ok and self.items.get(event.item) == isinstance(event, e.ItemUnticked), told)
        self.noted.add(event.ts)
        self.items[event.item] = not isinstance(event, e.ItemUnticked)
        if isinstance(event, e.ItemUnticked):
            self.on_offer, self.findings, self.read, self.refused = None, [], [], False
            self.approvals.clear()

    def passes(self, event: e.CheckpointPassed) -> None:
        self.holds("list-is-complete", self.on_offer is not None and all(self.items.values()), self.items)
        self.consent_to_the_offer(event)
        self.consent_in_spite_of_findings()
        self.is_proven(event)
        if event.checkpoint == "users":
            missing = {r for r, digest in self.sets.items() if (r, digest) not in self.sets_accepted}
            self.holds("consent-to-the-set", not missing, missing)
        failing = {finding.check for finding in self.findings if finding.verdict is Verdict.FAIL}
        self.passed[event.checkpoint] = failing
        self.over = self.over or (event.checkpoint == self.chart.last and event.checkpoint not in STEPS)
        self.spend()

    def consent_to_the_offer(self, event: e.CheckpointPassed) -> None:
        assert self.on_offer is not None
        gate, number = self.on_offer
        stood = self.stood_at(f"/checkpoint/{gate}/{number}")
        self.holds("consent-to-the-offer", event.by == tuple(self.approvals.values()) != (), event.by)
        for ts, user in self.approvals.items():
            told = self.said[ts]
            ok = (told.user, told.signal) == (user, event.checkpoint) and stood < told.at
            ok = ok and told.digest in {"", self.digest}
            self.holds("consent-to-the-offer", ok and ts in self.approvers_word and ts not in self.used, told)

    def consent_in_spite_of_findings(self) -> None:
        for finding in self.findings:
            if finding.verdict is Verdict.FAIL:
                meant = [w for w in self.waivers if w.check == finding.check]
                users = {w.user for w in meant}
                self.holds("consent-of-two", finding.waivable and len(users) >= self.waivers_needed, finding)
                covered = {w.user for w in meant if finding.evidence in w.covers}
                self.holds("consent-to-the-finding", len(covered) >= self.waivers_needed, (finding.evidence, meant))

    def shown(self, check: str, ts: str) -> frozenset[str]:
        """What the failing findings of the check say that stood in the channel before this was said."""
        assert self.on_offer is not None
        said = set()
        for n, finding in enumerate(self.findings, 1):
            stood = self.stood_at(f"/finding/{self.on_offer[0]}/{self.attempt}/{n}")
            if finding.check == check and finding.verdict is Verdict.FAIL and stood < self.said[ts].at:
                said.add(finding.evidence)
        return frozenset(said)

    def is_waived(self, event: e.CheckWaived) -> None:
        covers = self.shown(event.check, event.ts)
        theirs = [w for w in self.waivers if (w.user, w.check) == (event.user, event.check) and w.ts != event.ts]
        before = {said for w in theirs for said in w.covers}
        ok = bool(covers - before) and event.ts in self.approvers_word and self.said[event.ts].user == event.user
        self.holds("consent-to-the-finding", ok, event)
        self.waivers.append(Waiver(ts=event.ts, user=event.user, check=event.check, covers=covers))

    def is_accepted(self, event: e.ReasonAccepted) -> None:
        if event.ts is not None:
            shown = self.sets_shown.get(event.set_digest, NOT_YET)
            ok = shown < self.said[event.ts].at and event.ts in self.approvers_word
            self.holds("consent-to-the-set", ok and self.sets.get(event.reason) == event.set_digest, event)
        self.sets_accepted.add((event.reason, event.set_digest))

    def is_left_out(self, event: e.UnreadableAccepted) -> None:
        _, _, named = self.said[event.ts].text.replace("`", "").partition("unreadable:")
        meant = [t for t in self.unreadable if named.startswith((f"{t} ", f"{t}:"))]
        self.holds("longest-name", event.table == max(meant, key=len, default=""), (named, event.table))

    def is_answered(self, event: e.Answered) -> None:
        """A word that must count may not be refused."""
        _, _, word = self.said[event.ts].text.partition("> accept ")
        check, _, why = word.partition(": ")
        free = self.refused and self.work is None and self.header == "waiting" and not self.aborting
        if event.status == "done" or not why or not free or event.ts not in self.approvers_word:
            return
        user, meant = self.said[event.ts].user, [w for w in self.waivers if w.check == check]
        waivable = {finding.evidence for finding in self.findings if finding.check == check and finding.waivable}
        by = {said: {w.user for w in meant if said in w.covers} for said in self.shown(check, event.ts) & waivable}
        untold = [said for said, users in by.items() if user not in users and len(users) < self.waivers_needed]
        anew = "-anew" if any(not w.covers & set(untold) for w in meant) else ""
        self.holds(f"waivable-can-be-waived{anew}", not untold, event.text)

    def is_second_yes(self, word: str, ts: str) -> None:
        if not ts:  # at the terminal
            return
        asked = self.asked.pop(word, None)
        self.holds("second-yes", asked is not None, f"Nobody asked for `{word}`, or before the handover.")
        if asked is not None:
            warned, yes = self.stood_at(f"/answer/{self.answered_with.get(asked, asked)}"), self.said[ts].at
            self.holds("second-yes", warned < yes <= warned + SECOND_YES_WITHIN, (warned, yes))

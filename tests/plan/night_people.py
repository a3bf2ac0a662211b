"""People: signals and what is nearly one, words, buttons, ticks, waivers, second thoughts; said in time, too early, too
late, twice, by whom it may be said and by whom not.
"""

from __future__ import annotations

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import precondition

from .histories import ANN, BOT, EVE, Hear, Judge, Phase, do
from .night_work import WorkRules
from .night_world import (
    AS_SIGNALS,
    HOLD,
    KEYS,
    LEAVE_OUT,
    LEAVE_OUT_LONGER,
    PEOPLE,
    REACHES,
    ROLES,
    SEEN,
    SIGNALLED,
    WAIVE,
    WHY,
    WORDS,
    Message,
    step,
)
from .witnessed import Spoken


class PeopleRules(WorkRules):
    @step(user=PEOPLE, said=SIGNALLED, in_thread=st.sampled_from([False, False, False, True]), reaches=REACHES)
    def somebody_signals(self, user: str, said: tuple[str, str | int], in_thread: bool, reaches: str) -> None:
        """Or nearly; at top level or below whatever was posted last."""
        text, place = said
        names = self.world.chart.names
        gate = (self.world.gate or names[0]) if isinstance(place, str) else names[place % len(names)]
        thread = next(reversed(self.world.channel.values()), "1600000000.000100") if in_thread else None
        self.speak(
            user,
            text.format(signal=self.world.chart.signals[gate]),
            gate if text in AS_SIGNALS else "",
            thread,
            reaches,
        )

    @precondition(lambda self: self.posted_at() != "~" and self.world.offer[1])
    @step(user=PEOPLE, number=st.sampled_from(["", "", "an older one"]), known=st.sampled_from([True, True, False]))
    def somebody_presses_a_button(self, user: str, number: str, known: bool) -> None:
        """Beside the evidence of the gate on offer, or of one that was shown before it; what they press has no ts."""
        self.tell_all()
        gate, digest = self.world.gate, number or self.world.digest
        self.press(user, self.world.chart.signals[gate], gate if not number else "", digest=digest, known=known)

    def press(
        self,
        user: str,
        text: str,
        signal: str,
        *,
        digest: str,
        beside: tuple[str, int] | None = None,
        known: bool = True,
    ) -> None:
        """What is pressed has no message of its own."""
        assert self.dispatch(
            Hear(
                ts="",
                user=user,
                team="T0",
                text=text,
                thread_ts=None,
                addressed=True,
                via="button",
                request=f"request {len(self.journal)}",
                digest=digest,
            )
        )
        ts = next(reversed(self.alive.heard))
        self.world.said[ts] = Message(ts, user, text, None, signal, button=True, list=beside)
        self.witness.says(ts, Spoken(self.now, user, text, signal, digest))
        self.answer(ts, known=known)

    @step()
    def the_clock_of_the_bot_is_set_back(self) -> None:
        self.skew = timedelta(hours=-2)

    @step(user=PEOPLE, word=st.sampled_from(WORDS), reaches=REACHES)
    def somebody_says_a_word(self, user: str, word: str, reaches: str) -> None:
        self.speak(user, f"<@{BOT}> {word}", "", None, reaches)

    @step(
        word=st.sampled_from(["retry", "retry", "abort yes", "accept sso", "thaw yes", HOLD]),
        survives=st.booleans(),
    )
    def the_process_is_killed_while_it_answers(self, word: str, survives: bool) -> None:
        """What it decided is on the disk whole, or not at all."""
        message = self.post_message(ANN, f"<@{BOT}> {word}")
        self.hear(message)
        self.dispatch(Judge(ts=message.ts, permission=self.permission(message)), survives=survives)

    @precondition(lambda self: not self.world.aborting)
    @step(word=st.sampled_from(["retry", "status", "abort", "abort yes"]))
    def the_run_is_aborted(self, word: str) -> None:
        """Or nearly."""
        self.an_abort_is_asked_for(word)

    @precondition(lambda self: not self.world.aborting)
    @step()
    def a_second_yes_comes_before_the_first_word(self) -> None:
        """And is heard after it."""
        yes, first = (self.post_message(ANN, f"<@{BOT}> {text}") for text in ("abort yes", "abort"))
        for message in (first, yes):
            self.hear(message)
            self.answer_all()

    @precondition(lambda self: self.messages())
    @step(data=st.data())
    def an_event_is_delivered_again(self, data: st.DataObject) -> None:
        message = data.draw(st.sampled_from(self.messages()))
        heard_before = message.ts in self.alive.heard
        assert not (self.hear(message) and heard_before)
        if message.ts in self.world.answered:
            assert not self.dispatch(Judge(ts=message.ts, permission=self.permission(message)))

    @precondition(lambda self: self.messages())
    @step()
    def the_history_is_swept(self) -> None:
        for message in self.messages():
            self.hear(message)

    @precondition(lambda self: "ask" in self.actions)
    @step(known=st.booleans())
    def slack_says_who_spoke(self, known: bool) -> None:
        ask = self.actions["ask"]
        assert isinstance(ask, do.AskWho)
        self.answer(ask.ts, known=known)

    @step(users=st.lists(PEOPLE, min_size=1, max_size=3), early=st.booleans())
    def several_people_signal(self, users: list[str], early: bool) -> None:
        """The same one twice, two at once, some of whom may not; perhaps before the checkpoint is in the channel."""
        gate = self.world.gate or self.world.chart.names[0]
        for reason in self.alive.open_reasons:
            self.say(ANN, f"<@{BOT}> accept {reason}")
        said = [self.post_message(user, self.world.chart.signals[gate], gate) for user in users if early]
        self.tell_all()
        said += [self.post_message(user, self.world.chart.signals[gate], gate) for user in users if not early]
        for message in said:
            self.hear(message)
        self.answer_all()

    @step(user=PEOPLE, goes_on=st.booleans())
    def the_run_is_held(self, user: str, goes_on: bool) -> None:
        self.say(user, f"<@{BOT}> {HOLD}")
        if goes_on:
            self.say(ANN, f"<@{BOT}> retry")

    @precondition(lambda self: not self.world.aborting)
    @step(word=st.sampled_from(["thaw yes", "thaw yes", "retry", "abort yes"]), well=st.booleans())
    def the_source_is_thawed(self, word: str, well: bool) -> None:
        """Or nearly; and perhaps tried again, and perhaps the night goes on behind it."""
        for text in ("thaw", word):
            self.say(ANN, f"<@{BOT}> {text}")
        if isinstance(self.begin(), do.Thaw):
            self.end_thaw(well=well, raises=False, survives=None)
            self.say(ANN, f"<@{BOT}> retry")

    @precondition(lambda self: self.alive.phase is Phase.WAITING)
    @step(users=st.lists(PEOPLE, min_size=1, max_size=3), waivable=st.booleans(), seen=st.lists(SEEN, min_size=2))
    def a_check_is_waived(self, users: list[str], waivable: bool, seen: list[str]) -> None:
        """By so many of whom some may, and the gate is tried again on the same finding, or on another of that check."""
        self.a_whole_gate_goes_well(well=False, waivable=waivable, seen=seen[:2])
        for user in users:
            self.say(user, f"<@{BOT}> {WAIVE}")
        self.a_whole_gate_goes_well(well=False, waivable=waivable, seen=seen[1:3])

    @precondition(lambda self: self.alive.phase is Phase.WAITING)
    @step(first=SEEN, then=SEEN, signals=st.booleans())
    def two_people_waive_what_each_of_them_saw(self, first: str, then: str, signals: bool) -> None:
        """And the second finding is perhaps not the first; and one of two signals perhaps comes before the second."""
        self.a_whole_gate_goes_well(well=False, waivable=True, seen=[first])
        self.say(ANN, f"<@{BOT}> {WAIVE}")
        self.a_whole_gate_goes_well(well=False, waivable=True, seen=[then])
        if signals and self.alive.phase is Phase.WAITING:
            self.say(ANN, self.world.chart.signals[self.world.gate], self.world.gate)
        self.say(min(self.world.approvers - {ANN}), f"<@{BOT}> {WAIVE}")
        self.a_whole_gate_goes_well(well=False, waivable=True, seen=[then])

    @precondition(lambda self: isinstance(self.due(), do.Work))
    @step(word=st.sampled_from([LEAVE_OUT, LEAVE_OUT_LONGER]))
    def tables_cannot_be_read(self, word: str) -> None:
        """And one of them is left out."""
        self.begin()
        self.end_step(well=False, set_digest="a", attention=False)
        for text in (word, "retry"):
            self.say(ANN, f"<@{BOT}> {text}")

    @step(roles=st.sampled_from(ROLES))
    def somebody_is_put_into_a_group_or_taken_out(self, roles: set[str]) -> None:
        self.world.approvers = set(roles)

    # -- checklists ---------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.world.items)
    @step(
        user=PEOPLE,
        word=st.sampled_from(["tick", "tick", "untick", "accept"]),
        key=KEYS,
        reaches=REACHES,
    )
    def somebody_says_what_is_so(self, user: str, word: str, key: str, reaches: str) -> None:
        """Of an item that is perhaps none, or of the last list."""
        text = f"accept item-{key}: {WHY}" if word == "accept" else f"{word} {key}"
        self.speak(user, f"<@{BOT}> {text}", "", None, reaches)

    @precondition(lambda self: self.world.items and self.alive.phase is Phase.WAITING)
    @step(user=PEOPLE, taken_back=st.booleans(), accepted=st.booleans())
    def the_list_is_gone_through(self, user: str, taken_back: bool, accepted: bool) -> None:
        """By anybody, or an approver accepts what is open; and perhaps the first item is taken back again."""
        for key in self.world.open_items:
            word = f"accept item-{key}: {WHY}" if accepted else f"tick {key}"
            self.say(user, f"<@{BOT}> {word}")
        if taken_back and self.world.items:  # what an earlier word has begun may have come to another gate
            self.say(user, f"<@{BOT}> untick {next(iter(self.world.items))}")

    @precondition(lambda self: self.world.items)
    @step(user=PEOPLE, word=st.sampled_from(["tick", "tick", "untick"]), key=KEYS, older=st.sampled_from([0, 0, 1]))
    def somebody_presses_an_item(self, user: str, word: str, key: str, older: int) -> None:
        """On the list at hand, or on one that was there before it."""
        self.tell_all()
        beside = (self.world.gate, self.world.list_number - older)
        self.press(user, f"{word} {key}", "", digest="/".join(map(str, beside)), beside=beside)

    @precondition(lambda self: self.world.items and isinstance(self.due(), do.Verify | do.JudgeAgain))
    @step(user=PEOPLE, begun=st.booleans(), again=st.booleans())
    def an_item_is_taken_back_while_the_gate_is_checked(self, user: str, begun: bool, again: bool) -> None:
        """And perhaps said again, by somebody else."""
        if begun and isinstance(self.begin(), do.Verify):
            self.examine(well=True, warns=False, ends=True, survives=None, judged=False)
        key = next(iter(self.world.items))
        self.say(user, f"<@{BOT}> untick {key}")
        if again:
            self.say(EVE, f"<@{BOT}> tick {key}")

    @precondition(lambda self: self.world.items and self.alive.phase is Phase.WAITING)
    @step(word=st.sampled_from(["tick", "untick", "accept"]), survives=st.booleans())
    def the_process_is_killed_while_it_notes_an_item(self, word: str, survives: bool) -> None:
        self.tell_all()
        key = next(iter(self.world.open_items or self.world.items))
        text = f"accept item-{key}: {WHY}" if word == "accept" else f"{word} {key}"
        message = self.post_message(ANN, f"<@{BOT}> {text}")
        self.hear(message)
        self.dispatch(Judge(ts=message.ts, permission=self.permission(message)), survives=survives)

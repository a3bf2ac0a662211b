"""What the conductor does, done by hand: `decide`, journal, `after`, `next_actions`; a channel in which posts arrive or
not; a process that is killed at any time, also in the middle of an append: of a decision all events come to the disk or
none. Each event is held against the model, each decision against the witness.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta

from hypothesis.stateful import RuleBasedStateMachine

from bot.plan import display

from .drawn import drawn
from .histories import (
    BOT,
    EVE,
    MEMBER,
    REMIND_AFTER,
    RUN_ID,
    START,
    STRANGER,
    UNKNOWN,
    BeginStep,
    BeginVerification,
    Command,
    ConfirmEdit,
    ConfirmPin,
    ConfirmPost,
    ConfirmReminder,
    EndVerification,
    Hear,
    IntendPost,
    IntendReminder,
    Judge,
    LosePost,
    Permission,
    Phase,
    Refusal,
    Run,
    TakeUp,
    after,
    decide,
    do,
    e,
    from_record,
    next_actions,
    permission_of,
    spoken,
    talk_of,
    timers,
    to_record,
)
from .night_model import Model
from .night_world import GATE_STATUSES, LISTED, Message, World
from .witness import Witness
from .witnessed import Spoken


class Conductor(Model, RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.begin_night()

    def begin_night(self) -> None:
        self.now = START
        """Of the world, of Slack and of the database."""
        self.skew = timedelta(0)
        """How far the bot's clock is off."""
        self.world = World()
        self.witness = Witness(self.world.chart)
        self.dry = False
        self.drifts = 0
        self.base = 0
        """How many movements of the source the watch takes for granted, since it told them."""
        self.live_since = 0
        """How many movements there were when users were let in."""
        self.told_thaw: datetime | None = None
        self.journal: list[str] = []
        self.run: Run | None = None
        self.reread: Run | None = None
        self.under_way = ""
        """The key of the work that this process has begun."""
        self.gate_status: dict[tuple[str, int], str] = {}

    def tick(self, seconds: float = 1) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now

    def new_ts(self) -> str:
        return f"{int(self.tick().timestamp())}.000100"

    @property
    def alive(self) -> Run:
        assert self.run is not None
        return self.run

    def take(self, event: e.Event) -> None:
        self.check(event)
        if (isinstance(event, e.CheckpointPassed) and event.checkpoint == "live") or (
            isinstance(event, e.StepEnded) and event.step == "handover"
        ):
            self.live_since = len(self.source.movements)
        if isinstance(event, e.DriftSeen):
            self.drifts, self.base = self.drifts + 1, len(self.source.movements)
            self.told_thaw = None if self.source.frozen else self.source.thawed_at
        line = json.dumps(to_record(event))
        self.journal.append(line)
        before, self.run = self.run, after(self.run, event)
        if isinstance(event, e.DriftSeen) and self.world.sealed:
            assert before is not None
            assert self.run.phase is before.phase, "what moves behind the seal is reported, and holds nothing"
        self.reread = after(self.reread, from_record(json.loads(line)))
        for place, offer in self.run.offers.items():
            was = self.gate_status.get(place, "waiting")
            assert offer.status == was or offer.status in GATE_STATUSES[was], "a gate moves forward only"
            self.gate_status[place] = offer.status

    def dispatch(self, command: Command, *, survives: bool | None = None) -> bool:
        """`survives` is whether the decision comes to the disk before the process is killed, whole or not at all; None
        when it is not killed.
        """
        before = self.alive
        now = self.tick()
        decision = decide(before, command, now + self.skew)
        if isinstance(decision, Refusal):
            assert decision.sentence
            return False
        if any(isinstance(event, e.Answered) and event.status == "refused" for event in decision):
            assert len(decision) == 1, "a refusal changes nothing"
        if survives is not False:
            self.witness.decided(decision, now)
            for event in decision:
                self.take(event)
            self.is_drawn(before, command)
            if self.world.gate and not self.world.may_run:
                complete = not self.world.open_items
                assert complete == (self.world.offer[1] > 0), "a gate is on offer just when nothing of its list is open"
        if survives is not None:
            self.take_up()
        self.witness.shows(self.due(), display.header_status(self.alive))
        return bool(decision)

    def is_drawn(self, before: Run, command: Command) -> None:
        """The picture in the docs has each change of phase."""
        if before.phase is self.alive.phase:
            return
        name = type(command).__name__
        if isinstance(command, Judge):
            message = self.world.said[command.ts]
            word, _, argument = message.text.removeprefix(f"<@{BOT}> ").partition(" ")
            name = "a signal" if message.signal else f"{word} yes" if argument == "yes" else word
        assert name in drawn()[before.phase, self.alive.phase], (before.phase, name, self.alive.phase)

    def take_up(self, today: dict[str, int] | None = None) -> None:
        """A process begins with what the journal says and nothing else, but for how many approvals its settings ask."""
        self.run = self.reread = None
        for line in self.journal:
            self.run = after(self.run, from_record(json.loads(line)))
        self.reread = self.run
        self.under_way = ""
        self.witness.process_begins(self.tick())
        self.world.findings, self.world.checks_passed = None, False
        if today is not None:
            self.world.needed_today = today
        entitlement = e.Entitlement(users=LISTED, groups=("S0ONCALL",), approvals=self.world.needed_today)
        self.dispatch(TakeUp(entitlement=entitlement))

    def the_witness_looks(self) -> None:
        self.witness.sees(self.armed(), self.due(), display.header_status(self.alive))

    @property
    def actions(self) -> Mapping[do.Lane, do.Action]:
        return next_actions(self.alive)

    def armed(self) -> set[str]:
        return {timer.chore for timer in timers(self.alive, REMIND_AFTER)}

    def due(self) -> do.Action | None:
        return self.actions.get("work")

    def begin(self) -> do.Action | None:
        """What is due, begun if it was not; what the process did before was cancelled and awaited."""
        work = self.due()
        if work is None or work.key == self.under_way:
            return work
        self.witness.work_begins(work.key)
        match work:
            case do.Verify():
                assert self.dispatch(BeginVerification())
            case do.Work():
                assert self.dispatch(BeginStep())
        self.under_way = work.key
        return work

    def end(self, command: Command, survives: bool | None = None) -> None:
        """The work at hand ends with this."""
        key, self.under_way = self.under_way, ""
        assert self.dispatch(command, survives=survives)
        checked = isinstance(command, EndVerification) and (self.alive.checked or survives is not None)
        if survives is not False and not checked:  # what was checked is checked again after a restart
            self.witness.work_ended(key)

    def talk(self, action: do.Action, *, arrives: bool, told: bool) -> None:
        if isinstance(action, do.LeaveReminder):
            self.leave_reminder(action, arrives=arrives, told=told)
        else:
            self.talk_of_posts(action, arrives=arrives, told=told)

    def talk_of_posts(self, action: do.Action, *, arrives: bool, told: bool) -> None:
        match action:
            case do.Deliver(delivery=delivery, look_first=look_first):
                key = delivery.post.key
                if look_first and key in self.world.channel:
                    self.dispatch(ConfirmPost(key=key, ts=self.world.channel[key], displayed_state=""))
                    return
                if not look_first:
                    self.dispatch(IntendPost(key=key))
                displayed_state = display.displayed_state(self.alive, delivery.post)
                parent = self.alive.deliveries.get(delivery.post.thread or "")
                if parent is not None and parent.visible and not self.shows(parent):
                    self.lose(parent, told=arrives and told)
                elif arrives:
                    self.witness.posted(delivery.post, self.tick())
                    self.world.channel[key] = self.new_ts()
                    self.world.stood.setdefault(key, self.world.channel[key])
                    if told:
                        self.dispatch(ConfirmPost(key=key, ts=self.world.channel[key], displayed_state=displayed_state))
            case do.Redraw(delivery=delivery):
                if not self.shows(delivery):
                    self.lose(delivery, told=arrives and told)
                elif arrives and told:
                    self.dispatch(
                        ConfirmEdit(
                            key=delivery.post.key,
                            ts=delivery.ts,
                            displayed_state=display.displayed_state(self.alive, delivery.post),
                        )
                    )
            case do.PinHeader(ts=ts):
                header = self.alive.deliveries[f"{RUN_ID}/header"]
                assert ts == header.ts
                if not self.shows(header):
                    self.lose(header, told=arrives and told)
                elif arrives and told:
                    self.dispatch(ConfirmPin())

    def leave_reminder(self, action: do.LeaveReminder, *, arrives: bool, told: bool) -> None:
        if not (action.look_first and self.world.reminders):
            self.dispatch(IntendReminder())
            self.world.reminders += arrives
        assert self.world.reminders <= 1, "the reminder is left once"
        if self.world.reminders and told:
            self.dispatch(ConfirmReminder(id="Q1"))

    def shows(self, delivery: do.Delivery) -> bool:
        return self.world.channel.get(delivery.post.key) == delivery.ts

    def lose(self, delivery: do.Delivery, *, told: bool) -> None:
        """Slack refuses what is to be done with it; `told` when the refusal arrives."""
        if told:
            assert self.dispatch(LosePost(key=delivery.post.key, ts=delivery.ts))
            assert not self.dispatch(LosePost(key=delivery.post.key, ts=delivery.ts)), "it is lost once"

    def tell_all(self) -> None:
        for _ in range(500):
            if (action := talk_of(self.alive)) is None:
                self.witness.all_is_told(self.drifts)
                return
            self.talk(action, arrives=True, told=True)
        raise AssertionError("the talk does not end")

    def post_message(self, user: str, text: str, signal: str = "", thread_ts: str | None = None) -> Message:
        message = Message(ts=self.new_ts(), user=user, text=text, thread_ts=thread_ts, signal=signal)
        self.world.said[message.ts] = message
        self.witness.says(message.ts, Spoken(self.now, user, text, signal))
        return message

    def hear(self, message: Message) -> bool:
        return self.dispatch(
            Hear(
                ts=message.ts,
                user=message.user,
                team="T0",
                **spoken(message.text),
                thread_ts=message.thread_ts,
            )
        )

    def messages(self) -> list[Message]:
        """What is in the channel's history."""
        return [message for message in self.world.said.values() if not message.button]

    def answer(self, ts: str, *, known: bool) -> None:
        message = self.world.said[ts]
        counts = known and self.must_count(message)
        counts_on_list = known and self.must_be_noted(message)
        permission = self.permission(message) if known else UNKNOWN
        assert self.dispatch(Judge(ts=ts, permission=permission))
        assert ts in self.world.answered
        if counts:
            late = message.button and self.skew
            name = "no-approval-is-lost" + ("-to-a-clock" if late else "")
            self.witness.holds(name, self.witness.has_approved(ts), message)
        if counts_on_list:
            self.witness.holds("no-tick-is-lost", ts in self.witness.noted, message)

    def answer_all(self) -> None:
        while (ask := self.actions.get("ask")) is not None:
            assert isinstance(ask, do.AskWho)
            self.answer(ask.ts, known=True)

    def permission(self, message: Message) -> Permission:
        """What Slack says of its author at this moment."""
        self.world.vouched.add(message.ts)
        self.witness.vouched(message.ts, approver=message.user in self.world.approvers, member=message.user != STRANGER)
        if message.user in self.world.approvers:
            self.world.was_approver.add(message.ts)
            return Permission(known=True, member=True, approver=True)
        self.world.was_approver.discard(message.ts)
        return permission_of(message.user) if message.user in {EVE, STRANGER} else MEMBER

    def must_count(self, message: Message) -> bool:
        """It is the word of the gate on offer, said in time by somebody who may, and nothing else is open."""
        run, world = self.alive, self.world
        return (
            message.signal == world.gate != ""
            and world.offer[1] > 0
            and message.user in world.approvers
            and (message.button or message.ts > self.posted_at())
            and run.deliveries[run.gate_key].every_ts
            and not (world.drifted or world.aborting or world.thawing or world.may_run or run.hold or run.has_ended)
            and not (world.gate == "users" and (run.open_reasons or run.decided_since))
            and not world.may_not_hand_over(message.user)
            and message.user not in [world.said[ts].user for ts in world.approvals]
            and len(world.approvals) < world.takes(world.offer[0])
        )

    def must_be_noted(self, message: Message) -> bool:
        """A member ticks what is open on the list at hand, or takes back what is not, having seen the list."""
        world = self.world
        word, _, key = message.text.removeprefix(f"<@{BOT}> ").partition(" ")
        seen = message.list == (world.gate, world.list_number) if message.button else message.ts > self.listed_at()
        listed = self.alive.deliveries.get(f"{RUN_ID}/checklist/{world.gate}/{world.list_number}")
        seen = seen and listed is not None and bool(listed.every_ts)
        is_open = world.items.get(key) == "open"
        may = {"tick": is_open, "untick": key in world.items and not is_open}.get(word, False)
        phases = {Phase.WAITING} if word == "tick" else {Phase.WAITING, Phase.VERIFYING}
        return may and seen and message.user != STRANGER and message.thread_ts is None and self.alive.phase in phases

    def say(self, user: str, text: str, signal: str = "") -> None:
        """Once all is reported, and answered at once."""
        self.tell_all()
        message = self.post_message(user, text, signal)
        self.hear(message)
        self.answer_all()

"""The witness sees what it is there to see: nights that broke its rules, and bots that were broken on purpose.

Each night of `NIGHTS` is a sequence that broke the rule of its name. While that rule is in `KNOWN`, the night must
break it still; once it is not, the night must go well.
"""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.plan.evidence import offer

from . import night_conductor as conductor
from . import witness_notes
from .chart import WHOLE
from .contract import KNOWN, RULES, Spoiled
from .histories import (
    ANN,
    BEN,
    BOT,
    EVE,
    LEFT,
    MEMBER,
    REMIND_AFTER,
    SIGNALS,
    STRANGER,
    FailThaw,
    Judge,
    Permission,
    Refusal,
    ReportDrift,
    ReportThaw,
    Run,
    TellFinding,
    TellWindow,
    Timer,
    after,
    decide,
    do,
    e,
    good_findings,
    talk_of,
    timers,
)
from .night_world import HOLD, LEAVE_OUT_LONGER, WAIVE
from .test_plan_machine import Nights

MOVED = ReportDrift(changes=("public.orders took 1 write",))


def begun(night: Nights, gates: int = 0, *, step: bool = False, then: str = "", **sort: bool) -> None:
    night.opened(gates=gates, step=step, then=then, needed={}, sort=sort)


def ask(night: Nights, *words: str) -> None:
    for word in words:
        night.say(ANN, f"<@{BOT}> {word}")


def thaw_fails(night: Nights) -> None:
    assert isinstance(night.begin(), do.Thaw)
    night.end(FailThaw(why="No answer; nothing was thawed; look at it."))


def thaw(night: Nights, *, record: bool, connects: bool = False, again: bool = False, turn: bool = True) -> None:
    night.somebody_thaws(record=record, connects=connects, again=again, turn=turn, ends_sessions=False)


def moves_once(night: Nights) -> None:
    night.the_source_moves(turn=True)


def moves_twice(night: Nights) -> None:
    moves_once(night)
    moves_once(night)


def moves_and_is_thawed(night: Nights) -> None:
    moves_once(night)
    thaw(night, record=False)


def handed_over(then: Callable[[Nights], None]) -> Callable[[Nights], None]:
    def through(night: Nights) -> None:
        begun(night, 3, step=True)
        then(night)

    return through


def exported(then: Callable[[Nights], None]) -> Callable[[Nights], None]:
    def through(night: Nights) -> None:
        begun(night, 1, step=True)
        then(night)

    return through


def held_at_the_freeze_gate(night: Nights) -> None:
    begun(night)
    ask(night, HOLD)
    night.the_witness_looks()


def thawed_while_it_is_checked(night: Nights) -> None:
    begun(night, then="verifying")
    thaw(night, record=False, connects=True, again=True)
    night.work_goes_on(ends=True, well=True, warns=False, set_digest="a", survives=None)


def waived_for_another_finding(night: Nights) -> None:
    begun(night)
    night.two_people_waive_what_each_of_them_saw(first="reporting", then="billing", signals=False)


def waived_and_passed_later(night: Nights) -> None:
    begun(night)
    night.a_check_is_waived(users=[ANN], waivable=True, seen=["reporting", "reporting"])
    night.a_whole_gate_goes_well()
    night.a_whole_step_goes_well()


def waived_after_one_of_two_signals(night: Nights) -> None:
    night.opened(gates=0, step=False, then="", needed={"freeze": 2}, sort={})
    night.two_people_waive_what_each_of_them_saw(first="reporting", then="reporting", signals=True)


def waived_by_one_person_for_each_finding(night: Nights) -> None:
    begun(night)
    for seen in ("reporting", "billing"):
        night.a_whole_gate_goes_well(well=False, waivable=True, seen=[seen])
        ask(night, WAIVE)


def thawed_before_the_proof(night: Nights) -> None:
    begun(night)
    night.people_freeze(careful=True)
    thaw(night, record=True, again=True, turn=False)
    night.a_whole_gate_goes_well()
    night.a_whole_step_goes_well()
    night.timers_have_their_turn()


def aborting_and_thawed_beside_the_bot(night: Nights) -> None:
    ask(night, "abort", "abort yes")
    thaw_fails(night)
    thaw(night, record=True)


def aborting_before_the_proof(night: Nights) -> None:
    begun(night)
    night.people_freeze(careful=True)
    aborting_and_thawed_beside_the_bot(night)


def started_when_it_was_aborted(night: Nights) -> None:
    begun(night, waits=True)
    ask(night, "abort", "abort yes")
    night.begin()
    night.end_thaw(well=True, raises=False, survives=None)
    ask(night, "start")


def whose_thaw_fails(*words: str) -> Callable[[Nights], None]:
    def through(night: Nights) -> None:
        begun(night, 3, step=True)
        ask(night, "thaw", "thaw yes")
        thaw_fails(night)
        ask(night, *words)
        night.the_witness_looks()

    return through


def dry_run_that_moves(night: Nights) -> None:
    begun(night, 2, step=True, dry=True)
    moves_once(night)


def dry_run_that_moved_and_goes_on(night: Nights) -> None:
    begun(night, 2, step=True, dry=True)
    night.source.writes(night.tick())
    night.dispatch(MOVED)
    ask(night, "retry")


def two_tables_of_which_one_begins_like_the_other(night: Nights) -> None:
    begun(night, 1)
    night.tables_cannot_be_read(word=LEAVE_OUT_LONGER)


def second_yes_behind_the_handover(night: Nights) -> None:
    begun(night, 3)
    ask(night, "thaw")
    night.a_whole_step_goes_well()
    ask(night, "thaw yes")


def pressed_when_the_clock_was_set_back(night: Nights) -> None:
    begun(night)
    night.tell_all()
    night.the_clock_of_the_bot_is_set_back()
    night.somebody_presses_a_button(user=ANN, number="", known=True)


NIGHTS: dict[str, Callable[[Nights], None]] = {
    "thaw-record": begun,
    "look-while-held": held_at_the_freeze_gate,
    "freeze-time-is-new-while-checked": thawed_while_it_is_checked,
    "nobody-older-writes-while-checked": thawed_while_it_is_checked,
    "watch-after-an-alarm": handed_over(moves_once),
    "alarm-after-an-alarm": handed_over(moves_twice),
    "thaw-is-told-after-an-alarm": handed_over(moves_and_is_thawed),
    "watch-while-held-for-drift": exported(moves_once),
    "alarm-while-held-for-drift": exported(moves_twice),
    "thaw-is-told-while-held-for-drift": exported(moves_and_is_thawed),
    "consent-to-the-finding": waived_for_another_finding,
    "waived-means-failed": waived_and_passed_later,
    "waivable-can-be-waived": waived_after_one_of_two_signals,
    "waivable-can-be-waived-anew": waived_by_one_person_for_each_finding,
    "old-thaw-voids-nothing": thawed_before_the_proof,
    "no-gate-after-an-abort": exported(aborting_and_thawed_beside_the_bot),
    "aborted-when-thawed": aborting_before_the_proof,
    "aborted-stays": started_when_it_was_aborted,
    "handed-over-stays": whose_thaw_fails("abort", "abort yes"),
    "released-thaws-nothing": whose_thaw_fails("release"),
    "over-is-not-held-by-a-thaw": whose_thaw_fails(),
    "over-is-not-held": dry_run_that_moves,
    "dry-run-stays": dry_run_that_moved_and_goes_on,
    "longest-name": two_tables_of_which_one_begins_like_the_other,
    "no-approval-is-lost-to-a-clock": pressed_when_the_clock_was_set_back,
    "second-yes": second_yes_behind_the_handover,
}


@pytest.mark.parametrize("name", NIGHTS)
def test_a_night_that_broke_a_rule_breaks_it_as_long_as_that_is_known(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no longer."""
    expected: Any = pytest.raises(AssertionError, match=f"^{name}: ") if name in KNOWN else contextlib.nullcontext()
    monkeypatch.setattr(witness_notes, "KNOWN", {rule: row for rule, row in KNOWN.items() if rule != name})
    with expected, contextlib.suppress(Spoiled):
        NIGHTS[name](Nights())


def test_every_rule_was_seen_to_fail() -> None:
    """The known ones in their nights, so that whoever fixes one sees which sequence it was."""
    assert NIGHTS.keys() >= KNOWN.keys()
    assert NIGHTS.keys() | BROKEN.keys() | UNSAID.keys() == RULES.keys()


# -- bots that are broken on purpose ----------------------------------------------------------------------------------


def without(chore: str) -> Callable[..., Any]:
    return lambda run, remind_after: tuple(t for t in timers(run, remind_after) if t.chore != chore)


def watches_for_ever(run: Any, remind_after: Any) -> Any:
    return (*timers(run, remind_after), Timer(name="watch", chore="watch", every=REMIND_AFTER))


def keeps_the_freeze_time(run: Any, *events: Any) -> Any:
    """As it was seen first, whatever comes between."""
    done = after(run, *events)
    return replace(done, frozen_since=done.frozen_since or run.frozen_since) if run is not None else done


def posts_no_alarm(run: Any, *events: Any) -> Any:
    done = after(run, *events)
    kept = {key: delivery for key, delivery in done.deliveries.items() if "/alarm/drift/" not in key}
    return replace(done, deliveries=kept)


def forgets_what_it_intends(run: Any, *events: Any) -> Any:
    done = after(run, *events)
    return replace(done, deliveries={key: replace(d, intended=False) for key, d in done.deliveries.items()})


def deaf_to(*commands: type) -> Callable[..., Any]:
    return lambda run, command, now: [] if isinstance(command, commands) else decide(run, command, now)


def takes_nobody_for_an_approver(run: Any, command: Any, now: Any) -> Any:
    return decide(run, replace(command, permission=MEMBER) if isinstance(command, Judge) else command, now)


def offers_early(run: Run, command: Any, now: Any) -> Any:
    """With the first item of several."""
    happened = decide(run, command, now)
    if isinstance(happened, Refusal) or not isinstance(happened[0], e.ItemTicked) or len(happened) > 2:
        return happened
    return [*happened, offer(after(run, *happened), run.gate, now)]


def takes_for(permission: Permission) -> Callable[..., Any]:
    """Whoever ticks something."""

    def broken(run: Run, command: Any, now: Any) -> Any:
        ticks = isinstance(command, Judge) and "tick" in run.heard[command.ts].text
        return decide(run, replace(command, permission=permission) if ticks else command, now)

    return broken


def voids_as_well(gate: str) -> Callable[..., Any]:
    """When the source moves."""

    def broken(run: Run, command: Any, now: Any) -> Any:
        happened = decide(run, command, now)
        if not isinstance(command, ReportDrift) or isinstance(happened, Refusal) or not happened:
            return happened
        return [*happened, e.CheckpointVoided(at=now, checkpoint=gate, offer=1, why="it moved")]

    return broken


def releases_at_once(run: Run, command: Any, now: Any) -> Any:
    if isinstance(command, Judge) and run.heard[command.ts].text.endswith("release"):
        return [e.Released(at=now, user=ANN, ts=command.ts)]
    return decide(run, command, now)


def tells_the_window_for_ever(run: Any, remind_after: Any) -> Any:
    return (*timers(run, remind_after), Timer(name="window", chore="window", every=REMIND_AFTER))


def shortens_the_window(run: Run, command: Any, now: Any) -> Any:
    if isinstance(command, Judge) and run.heard[command.ts].text.endswith("window 45"):
        return [e.WindowLengthened(at=now, user=ANN, ts=command.ts, minutes=45)]
    return decide(run, command, now)


def tells_of_the_window_it_had(run: Run, command: Any, now: Any) -> Any:
    return decide(replace(run, lengthenings=()) if isinstance(command, TellWindow) else run, command, now)


def lengthened_and_waited(night: Nights) -> None:
    ask(night, "window 600")
    night.now += timedelta(minutes=31)
    night.dispatch(TellWindow())


def forgets_a_hold(run: Any, *events: Any) -> Any:
    return replace(after(run, *events), hold=None)


def begins_no_thaw(run: Any, *resting: Any) -> Any:
    return {lane: action for lane, action in do.next_actions(run).items() if not isinstance(action, do.Thaw)}


def finds_nothing_wrong(night: Nights) -> Any:
    return [f.model_copy(update={"facts": f.facts | {"baseline": night.state()}}) for f in good_findings("freeze")]


def makes_it_up(night: Nights, finding: Any) -> None:
    night.dispatch(TellFinding(finding=finding))


def held_and_thawed(night: Nights) -> None:
    begun(night)
    night.people_freeze(careful=True)
    ask(night, HOLD)
    thaw(night, record=False, connects=True, again=True)
    ask(night, "retry")
    night.a_whole_gate_goes_well()


def frozen_over_an_older_session(night: Nights) -> None:
    begun(night)
    night.an_app_connects()
    night.a_whole_gate_goes_well(careful=False)


def goes_on_behind_a_movement(night: Nights) -> None:
    begun(night, 1, step=True)
    night.source.writes(night.tick())
    night.a_whole_gate_goes_well()


def thawed_under_the_freeze(night: Nights) -> None:
    thaw(night, record=True)


def posted_twice(night: Nights) -> None:
    for _ in range(2):
        action = talk_of(night.alive)
        assert action is not None
        night.talk(action, arrives=True, told=False)


def released(night: Nights) -> None:
    ask(night, "release")
    night.the_witness_looks()


def begun_and_posted_twice(night: Nights) -> None:
    begun(night)
    posted_twice(night)


def at_a_list(night: Nights) -> None:
    """Of two items, behind the gates `environment` and `readiness`."""
    night.opened(gates=0, step=False, then="", needed={}, sort={}, plan=WHOLE)
    for _ in range(2):
        night.a_whole_gate_goes_well()
    assert night.world.gate == "dns"


def ticked_by(user: str) -> Callable[[Nights], None]:
    def through(night: Nights) -> None:
        at_a_list(night)
        night.say(user, f"<@{BOT}> tick ttl")

    return through


def whole(gate: str, then: Callable[[Nights], None]) -> Callable[[Nights], None]:
    """That gate is at hand, in a plan that has every gate."""

    def through(night: Nights) -> None:
        night.opened(gates=0, step=False, then="", needed={}, sort={}, plan=WHOLE)
        while night.world.gate != gate:
            night.a_step_on()
        then(night)

    return through


def thaw_confirmed_and_led_on(night: Nights) -> None:
    ask(night, "thaw", "thaw yes")
    night.people_lead_on()


def held(night: Nights) -> None:
    ask(night, HOLD)
    night.the_witness_looks()


BROKEN: dict[str, tuple[str, Any, Callable[[Nights], None]]] = {
    "look": ("timers", without("look"), begun),
    "watch": ("timers", without("watch"), exported(Nights.the_witness_looks)),
    "sweep": ("timers", without("sweep"), begun),
    "guard": ("timers", without("guard"), lambda night: begun(night, 1, guard=True)),
    "watch-ends": ("timers", watches_for_ever, handed_over(released)),
    "alarm": ("decide", deaf_to(ReportDrift), exported(moves_once)),
    "alarm-is-posted": ("after", posts_no_alarm, exported(lambda night: (moves_once(night), night.tell_all()))),
    "thaw-is-told": ("decide", deaf_to(ReportDrift, ReportThaw), exported(thawed_under_the_freeze)),
    "freeze-time-is-new": ("after", keeps_the_freeze_time, held_and_thawed),
    "nobody-older-writes": ("Nights.found_in_the_source", finds_nothing_wrong, frozen_over_an_older_session),
    "proof-is-newer": ("Nights.changes", lambda night: (), goes_on_behind_a_movement),
    "proof-is-whole": ("Nights.tell", makes_it_up, lambda night: begun(night, 1)),
    "no-approval-is-lost": ("decide", takes_nobody_for_an_approver, lambda night: begun(night, 1)),
    "no-effect-twice": ("after", forgets_what_it_intends, begun_and_posted_twice),
    "list-is-complete": ("decide", offers_early, ticked_by(EVE)),
    "tick-counts": ("decide", takes_for(MEMBER), ticked_by(STRANGER)),
    "no-tick-is-lost": ("decide", takes_for(LEFT), ticked_by(EVE)),
    "seal-stays": ("decide", voids_as_well("freeze"), whole("live", moves_once)),
    "earlier-gates-stay": ("decide", voids_as_well("environment"), whole("export", moves_once)),
    "release-by-its-gate": ("decide", releases_at_once, whole("live", lambda night: ask(night, "release"))),
    "window-is-agreed": ("decide", shortens_the_window, exported(lambda night: ask(night, "window 45"))),
    "window-is-true": ("decide", tells_of_the_window_it_had, exported(lengthened_and_waited)),
    "window-ends": ("timers", tells_the_window_for_ever, handed_over(Nights.the_witness_looks)),
    "hold-lasts": ("after", forgets_a_hold, exported(held)),
    "words-lead-on": ("next_actions", begins_no_thaw, exported(thaw_confirmed_and_led_on)),
    "words-end-it": ("next_actions", begins_no_thaw, exported(Nights.people_give_up)),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_a_bot_that_is_broken_on_purpose_is_found_out(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the name of what it breaks."""
    name, broken, night = BROKEN[rule]
    place, _, attribute = name.rpartition(".")
    monkeypatch.setattr(Nights if place else conductor, attribute, broken)
    with pytest.raises(AssertionError, match=f"^{rule}: "):
        night(Nights())


# -- people who did not say what the bot believes ---------------------------------------------------------------------


def nobody_was_an_approver(night: Nights) -> None:
    night.witness.approvers_word.clear()


def three_must_waive(night: Nights) -> None:
    night.witness.waivers_needed = 3


def nobody_accepted(night: Nights) -> None:
    night.witness.sets_accepted.clear()


UNSAID: dict[str, tuple[int, Callable[[Nights], None], Callable[[Nights], None]]] = {
    "consent-to-the-offer": (0, nobody_was_an_approver, lambda night: night.judge_again(known=True)),
    "consent-of-two": (0, three_must_waive, lambda night: night.judge_again(known=True)),
    "consent-to-the-set": (2, nobody_accepted, lambda night: night.judge_again(known=True)),
}


@pytest.mark.parametrize("rule", UNSAID)
def test_a_gate_does_not_pass_on_what_nobody_said(rule: str) -> None:
    """What the witness did not hear is no consent, whatever the journal says."""
    gates, unsaid, passes = UNSAID[rule]
    night = Nights()
    begun(night, gates, step=gates > 0)
    for reason in night.alive.open_reasons:
        ask(night, f"accept {reason}")
    waivable = rule == "consent-of-two"
    if waivable:
        night.a_whole_gate_goes_well(well=False, waivable=True)
        for user in (ANN, BEN):
            night.say(user, f"<@{BOT}> {WAIVE}")
    night.people_freeze(careful=True)
    night.say(ANN, SIGNALS[night.world.offer[0]], night.world.offer[0])
    night.begin()
    night.examine(well=not waivable, warns=True, ends=True, survives=None, judged=False)
    night.begin()
    unsaid(night)
    with pytest.raises(AssertionError, match=f"^{rule}: "):
        passes(night)

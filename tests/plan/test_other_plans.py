"""Plans with gates around the night and a team's own between them, and checklists on any."""

from __future__ import annotations

import pytest

from bot.plan import actions as do
from bot.plan import display, posts
from bot.plan.compose import OwnGate, PlanRefused, compose
from bot.plan.gates import KNOWN
from bot.plan.text import plain
from tests.plan.histories import (
    ANN,
    BEN,
    BOT,
    EVE,
    NED,
    STRANGER,
    EndThaw,
    FailThaw,
    Finding,
    Night,
    Phase,
    ReportDeletion,
    ReportDrift,
    ReportThaw,
    TellWindow,
    blocks,
    e,
    failed,
    good_findings,
    next_actions,
    passed,
    settled,
)

DNS = OwnGate(name="dns-switch", after="users", signal="dns-switched", claim="names point to the new system")
ITEMS = {"dns-ttl": "DNS TTL is 60 s", "on-call": "somebody is on call"}
WHOLE = compose(tuple(KNOWN), [DNS], {"readiness": ITEMS, "dns-switch": {"moved": "the A record is moved"}})


def told(happened: list[e.Event]) -> str:
    answered = happened[-1]
    assert isinstance(answered, e.Answered)
    return plain(answered.text)


def whole(**rules: object) -> Night:
    return Night(plan=WHOLE, rules=e.Rules.model_validate(rules))


# -- which plans there are --------------------------------------------------------------------------------------------


def test_own_gates_come_behind_the_gate_they_name_in_the_order_they_are_written() -> None:
    """An own gate may come behind another own one."""
    own = [
        OwnGate(name="a", after="users", signal="a-done", claim="x"),
        OwnGate(name="b", after="users", signal="b-done", claim="x"),
        OwnGate(name="c", after="a", signal="c-done", claim="x"),
    ]
    names = [gate.name for gate in compose(("freeze", "export", "users", "live"), own, {}).gates]
    assert names == ["freeze", "export", "users", "a", "c", "b", "live"]


@pytest.mark.parametrize(
    ("names", "own", "mistake"),
    [
        (("freeze", "users"), [], "plan.gates must name freeze, export, users"),
        (("live", "freeze", "export", "users"), [], "the order is freeze, export, users, live"),
        (("freeze", "export", "users", "lunch"), [], "plan.gates names 'lunch', and there is no such gate"),
        (tuple(KNOWN), [OwnGate(name="Dns", after="users", signal="a-b", claim="x")], "is not named with a-z"),
        (tuple(KNOWN), [OwnGate(name="dns", after="lunch", signal="a-b", claim="x")], "comes after 'lunch'"),
        (tuple(KNOWN), [OwnGate(name="dns", after="users", signal="done", claim="x")], "with a hyphen"),
        (tuple(KNOWN), [OwnGate(name="dns", after="users", signal="env-ready", claim="x")], "means something else"),
        (tuple(KNOWN), [OwnGate(name="live", after="users", signal="a-b", claim="x")], "the name of another gate"),
        (("freeze", "export", "users"), [OwnGate(name="d", after="live", signal="a-b", claim="x")], "after 'live'"),
        (tuple(KNOWN), [DNS, DNS], "the name of another gate"),
    ],
)
def test_what_is_no_plan_is_said(names: tuple[str, ...], own: list[OwnGate], mistake: str) -> None:
    """By the setting and what is wrong with it."""
    with pytest.raises(PlanRefused) as refused:
        compose(names, own, {})
    assert any(mistake in clause for clause in refused.value.mistakes)
    assert all(clause.startswith("plan.") for clause in refused.value.mistakes)


# -- whole nights -----------------------------------------------------------------------------------------------------


def test_a_whole_plan_is_played_from_the_first_gate_to_the_last() -> None:
    """Each gate is offered, passed and reported in its turn; the run is over behind the last, and nobody watches."""
    night = whole()
    reached = []
    while night.run.phase is not Phase.DONE:
        reached.append(night.run.gate.name)
        night.go_on()
    assert reached == [gate.name for gate in WHOLE.gates]
    assert [o.status for o in night.run.offers.values()] == ["passed"] * len(WHOLE.gates)
    assert not night.run.watched
    assert settled(night.run)
    assert night.restarted() == night.run


def test_nothing_is_looked_for_at_the_source_before_the_freeze_is_at_hand() -> None:
    """And the freeze gate still asks for its own proof."""
    night = whole()
    night.go_to("freeze")
    assert night.run.freeze is None
    night.pass_gate()
    assert night.run.freeze is not None


def test_behind_the_seal_gates_only_add_events() -> None:
    """The bundle is closed with the handover; what moves afterwards is reported, and voids nothing."""
    night = whole()
    night.go_to("dns-switch")
    assert night.run.is_closed
    assert night.run.phase is Phase.WAITING
    night.do(ReportDrift(changes=("public.orders took 2 writes",)))
    assert night.run.phase is Phase.WAITING
    assert night.run.handover is not None
    night.go_to("live")
    assert night.run.is_passed("dns-switch")


def test_a_drift_voids_the_freeze_and_what_is_behind_it_and_no_gate_before() -> None:
    """An own gate between passes again, with its list all open."""
    plan = compose(
        ("readiness", "freeze", "export", "users"),
        [OwnGate(name="sample", after="export", signal="sample-read", claim="x", checklist={"read": "rows were read"})],
        {},
    )
    night = Night(plan=plan)
    night.go_to("users")
    night.do(ReportDrift(changes=("public.orders took 2 writes",)))
    night.ask("retry")
    assert night.run.gate.name == "freeze"
    assert night.run.is_passed("readiness")
    assert [o.status for o in night.run.offers.values()] == ["passed", "void", "void", "void", "void", "waiting"]
    night.go_to("sample")
    assert night.run.open_items == ("read",)
    night.go_to("users")
    assert night.restarted() == night.run


def test_a_thaw_before_the_freeze_takes_no_gate_back() -> None:
    """The gate at hand is offered anew, and the freeze is still to come."""
    night = whole()
    night.go_to("readiness")
    night.tick_all()
    night.ask("thaw")
    night.ask("thaw yes")
    night.do(EndThaw(findings=(passed("writes-again", "It writes."),)))
    assert (night.run.gate.name, night.run.phase) == ("readiness", Phase.WAITING)
    assert night.run.offer is not None
    assert night.run.offer.number == 2
    assert night.run.is_passed("environment")
    night.go_to("freeze")


def test_a_thaw_behind_the_seal_ends_the_watch_and_leaves_the_way_on() -> None:
    """The gate at hand is offered anew; its examiners refuse what rests on the freeze, and `abort` ends the run."""
    night = whole()
    night.go_to("live")
    night.ask("thaw")
    night.ask("thaw yes")
    night.do(EndThaw(findings=(passed("writes-again", "It writes."),)))
    assert (night.run.gate.name, night.run.phase, night.run.watched) == ("live", Phase.WAITING, False)
    night.give_signal()
    night.find([failed("freeze-layers", "Supabase is not frozen.", "Freeze it again.")])
    night.end_checks()
    assert night.run.offer is not None
    assert night.run.offer.status == "refused"
    night.ask("abort")
    night.ask("abort yes")
    night.do(EndThaw(findings=(passed("writes-again", "It writes."),)))
    assert night.run.phase is Phase.ABORTED


def test_the_window_ends_when_users_are_let_in() -> None:
    """With the handover, or where the plan has a gate for it, with that."""
    night = whole(window_minutes=60)
    night.go_to("live")
    assert not night.run.is_window_over
    night.go_to("stable")
    assert night.run.is_window_over
    usual = Night(rules=e.Rules(window_minutes=60))
    usual.go_to("users")
    assert not usual.run.is_window_over
    usual.go_on()
    assert usual.run.is_window_over


def test_the_watch_ends_with_the_gate_that_says_so_and_not_by_a_word_before_it() -> None:
    """`release` names the gate; behind it the watch is over, on the word of who opened it."""
    night = whole()
    night.go_to("live")
    assert told(night.ask("release")) == (
        "Nothing was released: in this plan the Stable checkpoint ends the watch. It waits for `stabilized`."
    )
    night.go_to("stable", BEN)
    night.go_on(BEN)
    released = [event for event in night.events if isinstance(event, e.Released)]
    assert [event.user for event in released] == [BEN]
    assert not night.run.watched


def test_whoever_opened_the_freeze_and_the_export_may_open_any_gate_but_the_one_that_hands_over() -> None:
    """Gates without data do not count, neither before nor behind."""
    night = whole(deny_same_person=True)
    night.go_to("users", ANN)
    night.talk()
    for reason in night.run.open_reasons:
        night.ask(f"accept {reason}")
    assert told(night.say("users-mapped", ANN)).startswith("Nothing was started: you opened every earlier checkpoint")
    night.go_on(BEN)
    night.go_to("stable", ANN)


def test_only_the_word_itself_opens_a_gate_around_the_night() -> None:
    """Its hyphen is part of it; what is close is answered with the word."""
    night = whole()
    night.talk()
    for text in ("env ready", "env_ready", "envready", "env-ready?"):
        assert told(night.say(text)).startswith("Nothing was started. The word is exactly `env-ready`")
    assert told(night.say("ENV-ready.")).startswith(f"@{ANN} said `env-ready`")


# -- checklists -------------------------------------------------------------------------------------------------------


def at_the_list() -> Night:
    night = whole()
    night.go_to("readiness")
    night.talk()
    return night


def test_a_gate_with_a_checklist_is_offered_when_the_last_item_is_ticked() -> None:
    """Before, its word is refused with what is open; any full member ticks, and that approves nothing."""
    night = at_the_list()
    assert night.run.offer is None
    assert told(night.say("cutover-ready")) == (
        "Nothing was started: the checklist of the Readiness checkpoint is not complete. Open: `dns-ttl`, `on-call`. "
        "When it is, the checkpoint is posted with its evidence; then say `cutover-ready`."
    )
    assert told(night.ask("tick dns-ttl", EVE)) == f"@{EVE} ticked `dns-ttl`. Still open: `on-call`."
    assert told(night.ask("tick on-call", EVE)).startswith(f"@{EVE} ticked `on-call`. The checklist is complete")
    assert night.run.offer is not None
    assert not night.run.offer.approvals
    assert night.run.offer.evidence["checklist"] == {
        key: {"text": text, "state": "ticked", "by": EVE} for key, text in ITEMS.items()
    }
    assert night.restarted() == night.run


def test_an_untick_voids_the_offer_whatever_was_approved() -> None:
    """Also while it is checked; the list as it was is part of what they approved."""
    night = at_the_list()
    night.tick_all()
    night.give_signal()
    assert night.run.phase is Phase.VERIFYING
    night.find(good_findings("readiness", night.now, WHOLE)[:1])
    assert "void" in told(night.ask("untick on-call", EVE))
    assert night.run.phase is Phase.WAITING
    assert night.run.offers["readiness", 1].status == "void"
    assert night.run.offers["readiness", 1].approvals[0].state == "void"
    assert "work" not in next_actions(night.run)
    night.tick_all()
    assert night.run.offer is not None
    assert (night.run.offer.number, night.run.offer.approvals) == (2, ())
    night.go_on()
    assert night.run.gate.name == "freeze"


def test_an_item_is_accepted_open_by_an_approver_with_a_reason() -> None:
    """By its name before the key; a member who is no approver is refused."""
    night = at_the_list()
    night.ask("tick dns-ttl", EVE)
    assert told(night.ask("accept item-on-call: Carol is awake anyway", EVE)).startswith("Nothing was started")
    assert "say why" in told(night.ask("accept item-on-call"))
    assert told(night.ask("accept item-on-call: Carol is awake anyway")).startswith("Accepted: `on-call` may stay open")
    assert night.run.offer is not None
    assert night.run.offer.evidence["checklist"]["on-call"] == {
        "text": ITEMS["on-call"],
        "state": "accepted",
        "by": ANN,
        "why": "Carol is awake anyway",
    }


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        ("tick lunch", "Nothing was changed: the checklist has no such item. It has `dns-ttl`, `on-call`."),
        ("untick dns-ttl", "Nothing was changed: `dns-ttl` is not ticked."),
        ("tick", "Nothing was changed: the checklist has no such item. It has `dns-ttl`, `on-call`."),
    ],
)
def test_what_no_item_says_changes_nothing(word: str, answer: str) -> None:
    """With the items there are."""
    night = at_the_list()
    assert told(night.ask(word, EVE)) == answer
    assert night.run.open_items == ("dns-ttl", "on-call")


def test_a_tick_that_is_older_than_the_list_counts_for_nothing() -> None:
    """Whoever said it has not read the list."""
    night = whole()
    night.go_to("environment")
    said = night.hear(f"<@{BOT}> tick dns-ttl", EVE)
    night.go_to("readiness")
    assert told(night.judge(said)).startswith("Nothing was changed: your message is older than this checklist")
    assert night.run.open_items == ("dns-ttl", "on-call")


def test_a_stranger_ticks_nothing_and_a_plan_without_lists_knows_no_such_word() -> None:
    """Only full members of the channel; in the default plan `tick` is an unknown word like any other."""
    night = at_the_list()
    assert told(night.ask("tick dns-ttl", STRANGER)).startswith("Nothing was started")
    assert night.run.open_items == ("dns-ttl", "on-call")
    assert told(Night().ask("tick dns-ttl")).startswith("Nothing was changed: I do not know `tick`")


def test_the_list_and_the_gate_are_two_messages_and_both_are_shown_as_they_are() -> None:
    """The list is edited as it is ticked and is passed when the gate is on offer; anew it is void."""
    night = at_the_list()
    key = posts.checklist_key(night.run.run_id, "readiness", 1)
    post = night.run.deliveries[key].post
    assert (post.kind, display.status_of(night.run, post)) == ("cutover_checkpoint", "waiting")
    night.ask("tick dns-ttl", EVE)
    assert isinstance(next_actions(night.run)["edit"], do.Redraw)
    night.tick_all()
    assert display.status_of(night.run, post) == "passed"
    assert night.run.deliveries[night.run.gate_key].post.body == posts.Gate("readiness", 1)
    night.ask("untick dns-ttl")
    assert display.status_of(night.run, post) == "waiting"


def test_a_refused_check_at_a_gate_around_is_waived_and_refused_like_any_other() -> None:
    """The same table, the same bond to what was found."""
    night = at_the_list()
    night.tick_all()
    night.give_signal()
    too_long: list[Finding] = [failed("window-fits", "It needs 3 h and has 2 h.", "Take longer.", waivable=True)]
    assert blocks(too_long)
    night.find(too_long)
    night.end_checks()
    night.talk()
    assert night.run.offer is not None
    assert night.run.offer.status == "refused"
    for user in (ANN, BEN):
        night.ask("accept window-fits: two of us stay longer", user)
    night.give_signal()
    night.find(too_long)
    night.end_checks()
    assert night.run.gate.name == "freeze"
    assert [w.check for w in night.run.waived] == ["window-fits"] * 2


# -- found by nights that nobody would script -------------------------------------------------------------------------


def test_the_users_step_is_taken_up_again_also_while_the_list_of_a_gate_behind_it_is_open() -> None:
    """There is no offer then that could be void; the list is opened anew behind the step."""
    night = Night(plan=compose(("freeze", "export", "users"), [], {"users": {"read": "the list was read"}}))
    night.go_to("users")
    night.ask("retry")
    assert (night.run.gate.name, night.run.phase) == ("export", Phase.RUNNING)
    night.end_step()
    assert night.run.checklists["users"].number == 2
    assert night.run.open_items == ("read",)


def test_a_hold_behind_the_seal_is_over_with_retry_whatever_has_moved() -> None:
    """What is sealed is not exported again; the alarm of what moved stays, and so does the gate at hand."""
    night = whole()
    night.go_to("live")
    night.do(ReportDrift(changes=("public.orders took 2 writes",)))
    night.ask("hold the office is closed", EVE)
    assert night.run.phase is Phase.HELD
    night.ask("retry")
    assert (night.run.gate.name, night.run.phase) == ("live", Phase.WAITING)
    assert night.run.drift
    assert "drift" in {alarm.kind for alarm in night.run.alarms}
    assert "held" not in {alarm.kind for alarm in night.run.alarms}


@pytest.mark.parametrize("thaws", [False, True])
def test_a_hold_behind_the_seal_lasts_when_supabase_is_thawed_beside_the_bot(thaws: bool) -> None:
    """But a hold that was for a thaw which failed is over with it."""
    night = whole()
    night.go_to("live")
    if thaws:
        night.ask("thaw")
        night.ask("thaw yes")
        night.do(FailThaw(why="Supabase could not be reached; nothing was thawed; fix the connection."))
    else:
        night.ask("hold the office is closed", EVE)
    assert night.run.phase is Phase.HELD
    night.later(seconds=5)
    night.do(ReportThaw(thawed_at=night.now, findings=(passed("writes-again", "It writes."),)))
    assert night.run.phase is (Phase.WAITING if thaws else Phase.HELD)
    assert not night.run.watched
    night.ask("retry")
    assert (night.run.gate.name, night.run.phase) == ("live", Phase.WAITING)


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("word", ["thaw", "abort"])
def test_nothing_is_released_while_supabase_is_being_thawed(word: str, fails: bool) -> None:
    """It is one or the other: after `release` the source would be left as it is."""
    night = Night(plan=compose(("freeze", "export", "users", "live"), [], {}))
    night.go_to("live")
    night.ask(word)
    night.ask(f"{word} yes")
    if fails:
        night.do(FailThaw(why="Supabase could not be reached; nothing was thawed; fix the connection."))
    before = night.run.phase
    assert isinstance(night.ask("release")[0], e.Answered)
    assert (night.run.phase, night.run.watched) == (before, True)


def test_a_release_before_users_are_let_in_leaves_the_gate_and_a_hold_as_they_are() -> None:
    """It ends the watch, and nothing else."""
    night = Night(plan=compose(("freeze", "export", "users", "live"), [], {}))
    night.go_to("live")
    night.ask("hold the office is closed", EVE)
    night.ask("release")
    assert (night.run.phase, night.run.watched) == (Phase.HELD, False)
    night.ask("retry")
    night.go_on()
    assert night.run.phase is Phase.DONE


def test_nobody_is_decided_on_behind_the_seal() -> None:
    """The mapping is in the sums; the users step runs no more."""
    night = whole()
    night.go_to("live")
    assert isinstance(night.ask(f"decide {NED} skip")[0], e.Answered)
    assert not night.run.decisions


def test_nothing_is_said_of_a_window_that_is_over() -> None:
    """Also not by a timer that was armed before."""
    night = whole(window_minutes=60)
    night.go_to("live")
    night.later(minutes=50)
    assert [event.type for event in night.do(TellWindow())] == ["window-told"]
    night.go_to("stable")
    night.later(hours=3)
    assert night.do(TellWindow()) == []


def test_a_list_that_was_deleted_is_posted_anew_also_while_its_gate_is_on_offer() -> None:
    """Whoever takes an item back works with it."""
    night = at_the_list()
    night.tick_all()
    night.talk()
    key = posts.checklist_key(night.run.run_id, "readiness", 1)
    night.do(ReportDeletion(ts=night.run.deliveries[key].ts))
    night.talk()
    assert night.run.deliveries[key].visible


def test_a_reminder_is_over_with_the_offer_that_it_was_about() -> None:
    """Of an offer that an untick voids, as of one that a thaw behind the seal puts forward anew."""
    night = at_the_list()
    night.tick_all()
    night.talk()
    night.remind()
    night.ask("untick on-call", EVE)
    assert "waits" not in {alarm.kind for alarm in night.run.alarms}
    night.go_to("live")
    night.remind()
    night.do(ReportThaw(thawed_at=night.now, findings=(passed("writes-again", "It writes."),)))
    assert night.run.current == ("live", 2)
    assert "waits" not in {alarm.kind for alarm in night.run.alarms}


def test_the_bot_freezes_at_the_gate_that_freezes_and_once_it_is_on_offer() -> None:
    """Before, nothing was proven yet, and no answer says that it was."""
    plan = compose(("readiness", "freeze", "export", "users"), [], {"freeze": {"notice": "the notice is up"}})
    night = Night(plan=plan, rules=e.Rules(freeze_mode="bot"))
    night.talk()
    for gate in ("readiness", "freeze"):
        night.go_to(gate)
        assert isinstance(night.ask("freeze")[0], e.Answered)
        assert "already" not in told(night.ask("freeze"))
    night.tick_all()
    night.talk()
    assert isinstance(night.ask("freeze")[0], e.FreezeAsked)

"""What `accept` lets pass: just what was found and shown, by the names that were said, and nothing else."""

import pytest

from bot.plan import events as e
from bot.plan.commands.accept_grammar import named
from bot.plan.findings import Finding, failed
from bot.plan.inputs import FailStep
from bot.plan.run import Phase
from bot.plan.text import stacked
from bot.plan.texts import accepting
from tests.plan.histories import ANN, BEN, BOT, Night, fold, from_record, good_findings, night_at, plain, to_record

REPORTING = failed("overrides", "1 setting overrides.", "ALTER ROLE reporting RESET x", waivable=True)
BILLING = failed("overrides", "1 setting overrides.", "ALTER ROLE billing RESET x", waivable=True)
BOTH = failed(
    "overrides", "2 settings override.", "ALTER ROLE billing RESET x; ALTER ROLE reporting RESET x", waivable=True
)
OPEN_DOOR = failed("overrides", "A setting lets a probe write.", "ALTER ROLE door RESET x")
WHY = "accept overrides: it only reads"


def answer(night: Night, text: str, user: str = ANN) -> str:
    *_, answered = night.ask(text, user)
    assert isinstance(answered, e.Answered)
    return plain(answered.text)


def check(night: Night, *findings: Finding) -> None:
    night.find([*good_findings(night.run.gate.name, night.now), *findings])
    night.end_checks()
    night.talk()


def refused(*findings: Finding) -> Night:
    """The freeze gate has just been refused because of these, and the channel shows it."""
    night = night_at("freeze waits")
    night.give_signal()
    check(night, *findings)
    return night


def say_the_word(night: Night, *findings: Finding) -> None:
    night.give_signal()
    check(night, *findings)


# -- a waiver is about its finding ------------------------------------------------------------------------------------


def test_a_waiver_covers_no_other_finding_of_the_check() -> None:
    """The same check finds something else with the same evidence: what was accepted has not been found."""
    night = refused(REPORTING)
    for user in (ANN, BEN):
        assert answer(night, WHY, user).startswith("Accepted")
    say_the_word(night, BILLING)
    assert night.run.phase is Phase.WAITING
    assert night.run.acceptable == ("overrides: WHY",)
    say_the_word(night, BOTH)
    assert night.run.phase is Phase.WAITING
    say_the_word(night, REPORTING)
    assert night.run.phase is Phase.RUNNING, "what two accepted is found again, just so"


def test_two_waivers_of_two_findings_are_not_two_of_one() -> None:
    """Two people who have read two things have agreed on nothing."""
    night = refused(REPORTING)
    assert answer(night, WHY, ANN).startswith("Accepted by you: `overrides`. Another approver must accept it too")
    say_the_word(night, BILLING)
    assert answer(night, WHY, BEN).startswith("Accepted by you: `overrides`. Another approver must accept it too")
    say_the_word(night, BILLING)
    assert night.run.phase is Phase.WAITING
    assert answer(night, WHY, ANN).startswith("Accepted: what `overrides` found no longer stops")
    say_the_word(night, BILLING)
    assert night.run.phase is Phase.RUNNING
    assert [(w.user, w.digest) for w in night.run.waived] == [(BEN, BILLING.digest), (ANN, BILLING.digest)]


def test_what_passed_after_all_is_not_shown_as_waived() -> None:
    """The gate passed without it: no later gate, no closing and no report says otherwise."""
    night = refused(REPORTING)
    for user in (ANN, BEN):
        answer(night, WHY, user)
    assert "accepted the finding of `overrides`" in answer(night, "report")
    say_the_word(night)
    assert (night.run.phase, night.run.waivers) == (Phase.RUNNING, ())
    night.end_step()
    assert night.run.offer is not None and "waived" not in night.run.offer.evidence
    assert "overrides" not in answer(night, "report")


def test_what_is_hidden_in_a_finding_belongs_to_it() -> None:
    """A list that is cut off for readers is whole in the digest."""
    one, other = (failed("foreign-code", "12 functions.", "Look.", waivable=True, functions=[n]) for n in ("a", "b"))
    assert one.digest != other.digest
    assert one.digest == Finding.model_validate_json(one.model_dump_json()).digest


def test_two_findings_of_one_check_are_waived_together() -> None:
    """One word covers all that its author was shown, each by itself; a third finding is not among them."""
    night = refused(REPORTING, BILLING)
    happened = night.ask(WHY, ANN)
    assert [event.digest for event in happened if isinstance(event, e.CheckWaived)] == [
        REPORTING.digest,
        BILLING.digest,
    ]
    answer(night, WHY, BEN)
    say_the_word(night, REPORTING, BILLING, BOTH)
    assert night.run.phase is Phase.WAITING
    for user in (ANN, BEN):
        happened = night.ask(WHY, user)
        assert [event.digest for event in happened if isinstance(event, e.CheckWaived)] == [BOTH.digest]
    say_the_word(night, REPORTING, BOTH)
    assert night.run.phase is Phase.RUNNING
    assert {waiver.digest for waiver in night.run.waived} == {REPORTING.digest, BOTH.digest}


def test_where_the_same_check_also_found_what_loses_data_nothing_is_waived() -> None:
    """The gate could not pass, so no message says that it may."""
    night = refused(REPORTING, OPEN_DOOR)
    assert night.run.acceptable == ()
    assert answer(night, WHY) == plain(accepting.never_waived("overrides"))
    assert night.run.waivers == ()


def test_a_waiver_from_before_it_was_bound_opens_no_gate() -> None:
    """A journal of an older version says of it only which check it was for."""
    night = refused(REPORTING)
    for user in (ANN, BEN):
        answer(night, WHY, user)
    records = [to_record(event) for event in night.events]
    for record in records:
        if record["type"] == "check-waived":
            del record["digest"]
    old = fold(map(from_record, records))
    assert old is not None
    night.run = old
    say_the_word(night, REPORTING)
    assert night.run.phase is Phase.WAITING


def test_a_waivable_check_may_be_waived_between_two_words() -> None:
    """The gate that was refused waits for a second person's word: it is no less waivable for that."""
    night = Night(rules=e.Rules(approvals={"freeze": 2}))
    night.give_signal(ANN)
    night.give_signal(BEN)
    check(night, REPORTING)
    night.give_signal(ANN)
    assert night.run.offer is not None and (night.run.offer.status, night.run.offer.by) == ("waiting", (ANN,))
    assert "`accept overrides: WHY` is open." in answer(night, "status")
    assert answer(night, WHY, ANN).startswith("Accepted by you")
    assert answer(night, WHY, BEN).startswith("Accepted: what `overrides` found no longer stops")
    night.give_signal(BEN)
    check(night, REPORTING)
    assert night.run.phase is Phase.RUNNING


def test_while_it_is_checked_nothing_is_waived() -> None:
    """And it is not called unwaivable either."""
    night = night_at("freeze waits")
    night.give_signal()
    night.find([*good_findings("freeze", night.now), REPORTING])
    night.talk()
    assert answer(night, WHY) == plain(accepting.waived_while_checked("overrides"))
    assert night.run.waivers == ()


# -- the grammar ------------------------------------------------------------------------------------------------------

KNOWN = ("sso", "phone-only", "notice", "unreadable:public.orders", "unreadable:public.orders archive")
MY_LOGS = (
    "unreadable:public.my  logs",
    "unreadable:public.Orders",
    "unreadable:public.a: b",
    "unreadable:public.ti`ck",
)


@pytest.mark.parametrize(
    ("argument", "names", "why"),
    [
        ("sso", ["sso"], ""),
        ("SSO phone-only", ["sso", "phone-only"], ""),
        ("sso, phone-only: they know", ["sso", "phone-only"], "they know"),
        ("sso sso", ["sso"], ""),
        ("`sso` `phone-only`", ["sso", "phone-only"], ""),
        ("notice: see https://x: it is down", ["notice"], "see https://x: it is down"),
        ("notice : it is `down`", ["notice"], "it is down"),
        ("notice:", ["notice"], ""),
        ("`notice: it is down", ["notice"], "it is down"),
        ("`sso", ["sso"], ""),
        ("unreadable:public.orders: it is old", ["unreadable:public.orders"], "it is old"),
        ("Unreadable:public.orders: it is old", ["unreadable:public.orders"], "it is old"),
        ("unreadable:public.orders archive: it is old", ["unreadable:public.orders archive"], "it is old"),
        ("`unreadable:public.orders`: archive", ["unreadable:public.orders"], "archive"),
        ("unreadable:`public.orders archive`: old", ["unreadable:public.orders archive"], "old"),
        ("unreadable:public.orders `unreadable:public.orders archive`: old", [*KNOWN[-2:]], "old"),
        ("unreadable:public.my logs: old", ["unreadable:public.my  logs"], "old"),
        ("`unreadable:public.a: b`: old", ["unreadable:public.a: b"], "old"),
        ("unreadable:public.ti\u02cbck: old", ["unreadable:public.ti`ck"], "old"),
    ],
)  # fmt: skip
def test_names_and_their_why(argument: str, names: list[str], why: str) -> None:
    """As people type them, with capitals, commas, code marks and colons of their own."""
    said = named(argument, (*KNOWN, *MY_LOGS))
    assert (list(said.names), said.why, said.left_over) == (names, why, "")


@pytest.mark.parametrize(
    ("argument", "left_over"),
    [
        ("", ""),
        ("nosuch", "nosuch"),
        ("sso nosuch: they know", "nosuch"),
        ("notice it is down", "it is down"),
        ("notice:it is down", "notice:it is down"),
        ("`unreadable:public.orders` archive: old", "archive"),
        ("`unreadable:public.orders archiv`: old", "unreadable:public.orders archiv"),
        ("unreadable:PUBLIC.orders: old", "unreadable:PUBLIC.orders"),
        ("unreadable:public.orders archives: old", "archives"),
        ("unreadable: public.orders: old", "unreadable"),
        ("ssso", "ssso"),
        ("unreadable:public.x y: old", "unreadable:public.x y"),
    ],
)
def test_what_is_no_name_is_left_over(argument: str, left_over: str) -> None:
    """Never taken for the beginning of another name, nor for a reason."""
    assert named(argument, (*KNOWN, "unreadable:public.x  y", "unreadable:public.x   y")).left_over == left_over


def test_the_longest_table_that_was_named_is_left_out() -> None:
    """`orders archive` is not `orders` with a reason; and what is meant can be said exactly."""
    night = night_at("export runs")
    night.do(FailStep(why="No right.", unreadable=("public.orders", "public.orders archive")))
    night.talk()
    assert answer(night, "accept unreadable:public.orders archive: it is old").startswith(
        "Accepted: the export leaves out `public.orders archive`."
    )
    assert list(night.run.left_unread) == ["public.orders archive"]
    assert answer(night, "accept `unreadable:public.orders`: archive").startswith(
        "Accepted: the export leaves out `public.orders`."
    )
    assert {table: event.why for table, event in night.run.left_unread.items()} == {
        "public.orders archive": "it is old",
        "public.orders": "archive",
    }


def test_what_slack_makes_of_a_name_is_the_name() -> None:
    """It escapes three characters and takes `app.dev` for an address."""
    night = night_at("export runs")
    night.do(FailStep(why="No right.", unreadable=("app.dev", "public.a&b")))
    night.talk()
    text = "accept unreadable:<http://app.dev|app.dev> unreadable:public.a&amp;b: old &amp; <http://x.io|x.io>"
    assert answer(night, text) == "\n".join(
        plain(accepting.left_unread(table, (), "retry")) for table in ("app.dev", "public.a&b")
    )
    assert {accepted.why for accepted in night.run.left_unread.values()} == {"old & x.io"}


def test_several_names_are_accepted_in_one_message() -> None:
    """With one why for all, which is kept with each."""
    night = night_at("users waits")
    assert answer(night, "accept phone-only sso: they were told") == plain(
        stacked(accepting.accepted("phone-only", 2), accepting.accepted("sso", 1))
    )
    assert night.run.open_reasons == ()
    accepted = [event for event in night.events if isinstance(event, e.ReasonAccepted)]
    assert [(event.reason, event.why) for event in accepted] == [
        ("phone-only", "they were told"),
        ("sso", "they were told"),
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "accept phone-only they know",
            "Nothing was accepted: `they know` is not a name to accept here. If it is your reason, "
            "put a colon before it: "
            "`accept phone-only: they know`.",
        ),
        (
            "accept phone-only nosuch: they know",
            "Nothing was accepted: `nosuch` cannot be accepted here. To accept now: `phone-only`, `sso`.",
        ),
        (
            "accept nosuch they know",
            "Nothing was accepted: `nosuch` cannot be accepted here. To accept now: `phone-only`, `sso`.",
        ),
        ("accept", "Nothing was accepted: that cannot be accepted here. To accept now: `phone-only`, `sso`."),
        (
            "accept phone-only unreadable:public.x",
            "Nothing was accepted: no table of that name is open. Every table can be read.",
        ),
    ],
)
def test_a_name_that_is_unknown_changes_nothing(text: str, sentence: str) -> None:
    """Not even for the known ones beside it; a reason without its colon is shown how."""
    night = night_at("users waits")
    assert answer(night, text) == sentence
    assert night.run.open_reasons == ("phone-only", "sso")


def test_a_check_that_takes_a_why_takes_none_of_the_others_without_it() -> None:
    """All of a message or nothing of it."""
    notice = failed("notice", "No notice.", "Switch it on.", waivable=True)
    night = refused(REPORTING, notice)
    assert answer(night, "accept notice overrides") == plain(accepting.why_waived("notice"))
    assert night.run.waivers == ()
    assert answer(night, "accept notice the office is closed").endswith("`accept notice: the office is closed`.")
    for user in (ANN, BEN):
        night.say(f"<@{BOT}> accept notice overrides: the office is closed", user)
    say_the_word(night, REPORTING, notice)
    assert night.run.phase is Phase.RUNNING

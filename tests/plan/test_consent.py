"""A word is about what its author was shown: not about what came before it, nor about what is gone, whatever a clock
says.
"""

from datetime import timedelta

import pytest

from bot.plan import actions as do
from bot.plan import events as e
from bot.plan.findings import failed, passed
from bot.plan.gates import FREEZE
from bot.plan.inputs import ConfirmPost, EndThaw, Hear, IntendPost, Judge, ReportDeletion, ReportDrift
from bot.plan.run import Phase
from bot.plan.text import Text
from bot.plan.texts import run_control, sentences
from bot.slack.render.header import header
from tests.plan.histories import ANN, BEN, BOT, EVE, Night, good_findings, next_actions, night_at, permission_of, plain

WRITES = passed("writes-again", "It writes.")


def said(night: Night, text: str, user: str = ANN, *, thread_ts: str | None = None) -> str:
    """In the channel or a thread, without waiting for what is still to be posted."""
    *_, answered = night.judge(night.hear(text, user, thread_ts=thread_ts))
    assert isinstance(answered, e.Answered)
    return plain(answered.text)


def beside(night: Night, text: str, *, button: bool = False, user: str = ANN) -> str:
    """By a slash command, or by the button of the gate at hand."""
    assert night.run.offer is not None
    digest = night.run.offer.digest if button else ""
    hear = Hear(
        ts="", user=user, team="T0", text=text, thread_ts=None, addressed=True,
        via="button" if button else "command", request=f"r{len(night.events)}", digest=digest,
    )  # fmt: skip
    (heard,) = night.do(hear)
    assert isinstance(heard, e.MessageHeard)
    *_, answered = night.do(Judge(ts=heard.ts, permission=permission_of(user)))
    assert isinstance(answered, e.Answered)
    return plain(answered.text)


# -- the second yes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["abort", "thaw"])
def test_a_second_yes_without_its_warning_is_none(word: str) -> None:
    """Slack has not taken the warning yet: nobody has read what the word undoes."""
    night = night_at("export waits")
    said(night, f"<@{BOT}> {word}")
    unread = plain(run_control.warning_unread(word))
    assert said(night, f"<@{BOT}> {word} yes", BEN) == unread
    assert beside(night, f"{word} yes") == f"@{ANN} sent `/cutover {word} yes`. {unread}"
    assert night.run.phase is Phase.WAITING
    night.talk()
    said(night, f"<@{BOT}> {word} yes", BEN)
    assert night.run.phase is (Phase.ABORTING if word == "abort" else Phase.THAWING)


def test_a_second_yes_waits_until_it_is_known_whether_its_warning_is_there() -> None:
    """Slack did not say whether it took the warning, and its author may well have read it."""
    night = night_at("export waits")
    asked = night.hear(f"<@{BOT}> abort")
    night.judge(asked)
    warning = f"{night.run.run_id}/answer/{asked}"
    night.do(IntendPost(key=warning))
    stood = night.new_ts()
    night.hear(f"<@{BOT}> abort yes")
    assert "ask" not in next_actions(night.run)
    night.do(ConfirmPost(key=warning, ts=stood, displayed_state=""))
    ask = next_actions(night.run)["ask"]
    assert isinstance(ask, do.AskWho)
    night.judge(ask.ts)
    assert night.run.phase is Phase.ABORTING


def test_a_warning_that_answers_two_words_is_the_warning_of_both() -> None:
    """Whoever says `abort` twice reads once what it undoes, and may say yes to that."""
    night = night_at("export waits")
    for _ in range(2):
        said(night, f"<@{BOT}> abort")
    assert len(night.run.joined) == 1
    night.talk()
    said(night, f"<@{BOT}> abort yes")
    assert night.run.phase is Phase.ABORTING


def test_a_second_yes_is_not_kept_past_the_handover() -> None:
    """What `thaw` undoes is another thing then: the yes was to what was shown before."""
    night = night_at("handover runs")
    said(night, f"<@{BOT}> thaw")
    night.talk()
    night.end_step()
    assert night.run.phase is Phase.DONE
    assert said(night, f"<@{BOT}> thaw yes") == plain(run_control.warning_outdated("thaw"))
    assert (night.run.phase, night.run.watched) == (Phase.DONE, True)
    night.ask("thaw")
    night.ask("thaw yes")
    assert night.run.phase is Phase.THAWING


def test_a_second_yes_is_not_kept_past_the_first_user() -> None:
    """`abort` left Stack Auth untouched when it was asked for, and no longer does."""
    night = night_at("export waits")
    said(night, f"<@{BOT}> abort")
    night.pass_gate()
    night.end_step()
    assert said(night, f"<@{BOT}> abort yes").startswith(
        "Nothing was stopped: the run has moved on, and `abort` undoes"
    )
    assert night.run.phase is Phase.WAITING


# -- a clock that goes back -------------------------------------------------------------------------------------------


def test_a_clock_that_goes_back_kills_no_button_and_no_command() -> None:
    """The gate stood in the channel before they were used: the journal's order says so."""
    night = night_at("freeze waits")
    night.now -= timedelta(hours=2)
    assert beside(night, "frozen", button=True).startswith(f"@{ANN} said `frozen`")
    assert night.run.phase is Phase.VERIFYING
    notice = failed("notice", "No notice.", "Switch it on.", waivable=True)
    night.find([*good_findings("freeze", night.now), notice])
    night.end_checks()
    night.talk()
    night.now -= timedelta(hours=2)
    assert "Accepted by you" in beside(night, "accept notice: closed")
    assert "Accepted: what `notice` found no longer stops" in beside(night, "accept notice: closed", user=BEN)
    beside(night, "abort")
    night.talk()
    beside(night, "abort yes")
    assert night.run.phase is Phase.ABORTING


def test_a_command_from_before_the_gate_is_not_about_it_though_the_clock_went_back() -> None:
    """What was heard first is older, however late its time looks."""
    night = night_at("export waits")
    night.do(ReportDrift(changes=("public.orders took 2 writes",)))
    night.talk()
    (early,) = night.do(
        Hear(ts="", user=BEN, team="T0", text="frozen", thread_ts=None, addressed=True, via="command", request="r1")
    )
    assert isinstance(early, e.MessageHeard)
    night.now -= timedelta(hours=2)
    night.ask("retry")
    night.talk()
    *_, answered = night.judge(early.ts)
    assert isinstance(answered, e.Answered)
    assert plain(sentences.older_than_offer(FREEZE)) in plain(answered.text)
    assert night.run.phase is Phase.WAITING


# -- before the first gate, and below one that is gone ----------------------------------------------------------------


def _waits_for_start() -> Night:
    night = Night(rules=e.Rules(start_on_word=True, freeze_mode="bot"))
    night.talk()
    return night


def test_a_run_that_waits_for_start_offers_nothing_else() -> None:
    """Header, `who`, a near miss, `retry` and `freeze` name the word that is waited for, and no other."""
    night = _waits_for_start()
    asks = (
        f"Nothing was started: this run waits for the word. @{ANN} or @{BEN} may say `start` to me; "
        f"then the first checkpoint is posted."
    )
    for text in ("frozen", "froze", f"<@{BOT}> retry", f"<@{BOT}> freeze"):
        assert said(night, text) == asks
    assert said(night, f"<@{BOT}> who", EVE) == (f"The run waits for `start`, from one of these: @{ANN}, @{BEN}.")
    board = "\n".join(map(plain, header(night.run, None, Text()).paragraphs))
    assert f"Next: @{ANN} or @{BEN} may say `start` to me; then the first checkpoint is posted." in board
    assert "frozen" not in board
    assert night.run.offer is None


def test_start_begins_no_run_that_is_stopped() -> None:
    """Aborted, being aborted or held: no gate is posted."""
    night = _waits_for_start()
    night.ask("hold not yet", EVE)
    assert said(night, f"<@{BOT}> start").startswith("Nothing was started: the run is held.")
    night.ask("retry")
    night.ask("abort")
    night.ask("abort yes")
    assert said(night, f"<@{BOT}> start") == "Nothing was changed: the run is being aborted."
    night.do(EndThaw(findings=(WRITES,)))
    assert night.run.phase is Phase.ABORTED
    assert said(night, f"<@{BOT}> start") == "Nothing was changed: the run is aborted."
    assert (night.run.started, night.run.offer) == (False, None)


def test_a_word_below_a_gate_that_is_void_opens_no_other() -> None:
    """That message says that it takes no word any more, and its author has its evidence before their eyes."""
    night = night_at("freeze waits")
    night.pass_gate()
    night.end_step()
    night.do(ReportDrift(changes=("public.orders took 2 writes",)))
    night.ask("retry")
    night.talk()
    assert night.run.current == ("freeze", 2)
    stood = {
        place: night.run.deliveries[f"{night.run.run_id}/checkpoint/{place}"].ts for place in ("freeze/1", "freeze/2")
    }
    assert said(night, "frozen", thread_ts=stood["freeze/1"]) == plain(sentences.said_below_void(FREEZE, "frozen"))
    assert night.run.phase is Phase.WAITING
    assert "work" not in next_actions(night.run)
    assert said(night, f"<@{BOT}> status", thread_ts=stood["freeze/1"]).startswith("Run ")
    assert said(night, "frozen", thread_ts=stood["freeze/2"]).startswith(f"@{ANN} said `frozen`")
    assert night.run.phase is Phase.VERIFYING


def test_what_is_owed_below_a_gate_that_is_gone_is_posted_all_the_same() -> None:
    """Its post was deleted, is not posted anew since the gate is void, and somebody speaks in what is left of it."""
    night = night_at("freeze waits")
    night.pass_gate()
    night.do(ReportDrift(changes=("public.orders took 2 writes",)))
    night.ask("retry")
    night.talk()
    void = f"{night.run.run_id}/checkpoint/freeze/1"
    ts = night.run.deliveries[void].ts
    night.do(ReportDeletion(ts=ts))
    night.talk()
    assert night.run.deliveries[void].gone
    heard = night.hear(f"<@{BOT}> status", thread_ts=ts)
    night.judge(heard)
    owed = next_actions(night.run)["post"]
    assert isinstance(owed, do.Deliver)
    assert (owed.delivery.post.key, owed.delivery.post.thread) == (f"{night.run.run_id}/answer/{heard}", void)
    night.talk()
    assert night.run.deliveries[owed.delivery.post.key].ts
    assert said(night, "frozen", thread_ts=ts) == plain(sentences.said_below_void(FREEZE, "frozen"))

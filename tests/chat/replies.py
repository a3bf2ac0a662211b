"""Every kind of reply to a checkpoint, and what comes of it: one table, played over Socket Mode by
`test_replies.py`, with a sample over HTTP, and printed in `docs/replies.md`.

A case begins with checkpoint 1 waiting in the channel. Ada is an approver by name, Grace by a user group, Bob is a
member and no approver. `answers` are the bot's, in order, as they are in the channel; `{digest}` is the evidence's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from bot.plan import signals
from bot.plan.gates import EXPORT, FREEZE, USERS
from bot.plan.text import Text, named
from bot.plan.texts import sentences
from bot.slack.inbound import slash
from bot.slack.render.escape import mrkdwn

if TYPE_CHECKING:
    from tests.chat.stage import Stage

ADA, BOB, GRACE = "U0ADA", "U0BOB", "U0GRACE"
GUEST, VISITOR, LEAVER, EVE, INVITED, ROBOT = "U0GUEST", "U0VISITOR", "U0LEAVER", "U0EVE", "U0INVITED", "U0ROBOT"
MAY = (ADA, "S0OPS")
NAMES = {
    ADA: "Ada",
    BOB: "Bob",
    GRACE: "Grace",
    GUEST: "Gus",
    VISITOR: "Vic",
    LEAVER: "Lea",
    EVE: "Eve",
    INVITED: "Ivy",
}
NAMES |= {ROBOT: "Rob"}
BOT = "<@U0BOT>"
CHANNEL, ELSEWHERE, DIRECT = "C0CUTOVER", "C0LOUNGE", "D0ADA"


@dataclass(frozen=True)
class Reply:
    """`approves` are the people whose approval the gate took, `private` what the author of a slash command alone was
    told. `follows` is what else came of it, as types of events. `rules` are the run's.
    """

    kind: str
    play: Callable[[Stage], Awaitable[object] | object]
    answers: Sequence[str] = ()
    approves: Sequence[str] = ()
    private: str = ""
    follows: Sequence[str] = ()
    rules: Mapping[str, Any] = field(default_factory=dict)


def taken(user: str = ADA) -> str:
    return _to(user, sentences.signal_taken(user, FREEZE, "{digest}"))


def _to(user: str, text: Text) -> str:
    """As it is said to somebody who spoke, and is therefore known by name."""
    return mrkdwn(named(text, {user: NAMES[user]}))


def says(text: str, user: str = ADA, **shape: Any) -> Callable[[Stage], object]:
    return lambda stage: stage.says(user, text, **shape)


def opens(kind: str, play: Callable[[Stage], Awaitable[object] | object], user: str = ADA) -> Reply:
    return Reply(kind, play, [taken(user)], [user])


def nothing(kind: str, play: Callable[[Stage], Awaitable[object] | object]) -> Reply:
    return Reply(kind, play)


def refused(kind: str, play: Callable[[Stage], Awaitable[object] | object], answer: Text | str) -> Reply:
    return Reply(kind, play, [answer if isinstance(answer, str) else mrkdwn(answer)])


def no_say(kind: str, user: str, why: str) -> Reply:
    return refused(kind, says("frozen", user), sentences.not_entitled("frozen", why, MAY))


ONE_MORE = _to(ADA, sentences.waits_for_more(ADA, FREEZE, "{digest}", 1))
NEAR = sentences.near_miss(FREEZE, MAY)
BUSY = mrkdwn(sentences.being_checked(FREEZE))


# -- plays that take more than one line -------------------------------------------------------------------------------


def edited_into(stage: Stage) -> None:
    stage.slack.edit(stage.says(ADA, "looks good to me"), "frozen")


def edited_away(stage: Stage) -> None:
    stage.slack.edit(stage.says(ADA, "frozen"), "wait, not yet")


def deleted_after(stage: Stage) -> None:
    stage.slack.delete(stage.says(ADA, "frozen"))


async def lost_and_edited(stage: Stage) -> None:
    stage.slack.lose_next_events()
    stage.slack.edit(stage.says(ADA, "frozen"), "frozen")
    await stage.sweep()


async def lost_and_deleted(stage: Stage) -> None:
    stage.slack.lose_next_events()
    stage.slack.delete(stage.says(ADA, "frozen"))
    await stage.sweep()


async def lost_and_swept(stage: Stage) -> None:
    stage.slack.lose_next_events()
    stage.says(ADA, "frozen")
    await stage.sweep()


async def lost_in_a_thread(stage: Stage) -> None:
    stage.slack.lose_next_events()
    stage.says(ADA, "frozen", stage.gate_ts)
    await stage.sweep()


async def swept_and_late(stage: Stage) -> None:
    stage.slack.lose_next_events()
    ts = stage.says(ADA, "frozen")
    await stage.sweep()
    await stage.settles()
    stage.slack.redeliver(ts)


async def late(stage: Stage) -> None:
    stage.slack.lose_next_events()
    ts = stage.says(ADA, "frozen")
    stage.says(BOB, "is anybody there")
    await stage.settles()
    stage.slack.redeliver(ts)


async def out_of_order(stage: Stage) -> None:
    stage.slack.lose_next_events()
    first = stage.says(ADA, "frozen")
    stage.says(GRACE, "frozen")
    await stage.settles()
    stage.slack.redeliver(first)


async def redelivered(stage: Stage) -> None:
    ts = stage.says(ADA, "frozen")
    stage.slack.redeliver(ts)
    await stage.settles()
    stage.slack.redeliver(ts)


async def two_at_once(stage: Stage) -> None:
    stage.says(ADA, "frozen")
    await stage.settles()
    stage.says(GRACE, "frozen")


async def the_same_twice(stage: Stage) -> None:
    stage.says(ADA, "frozen")
    await stage.settles()
    stage.says(ADA, "frozen")


async def while_the_step_runs(stage: Stage) -> None:
    stage.says(ADA, "frozen")
    stage.checks_end.set()
    await stage.until(lambda: stage.run.step is not None and stage.run.step.attempt > 0)
    await stage.settles()
    stage.forget()
    stage.says(GRACE, "frozen")


async def at_the_third_gate(stage: Stage, text: str) -> None:
    await stage.pass_gate()
    await stage.pass_gate()
    stage.forget()
    stage.says(ADA, text)


def third_gate(text: str) -> Reply:
    answer = _to(ADA, sentences.signal_taken(ADA, USERS, "{digest}"))
    return Reply(f"at checkpoint 3: “{text}”", lambda stage: at_the_third_gate(stage, text), [answer], [ADA])


async def of_a_passed_gate(stage: Stage) -> None:
    await stage.pass_gate()
    stage.forget()
    stage.says(ADA, "frozen")


def in_another_thread(stage: Stage) -> None:
    stage.says(ADA, "frozen", stage.says(BOB, "who brings the pizza"))


def in_another_channel(stage: Stage) -> None:
    stage.says(ADA, "frozen", channel=ELSEWHERE)


async def posted_by_ourselves(stage: Stage) -> None:
    await stage.bot_posts("frozen")


def in_a_channel_shared_since(stage: Stage) -> None:
    stage.slack.channel.is_ext_shared = True
    stage.says(ADA, "frozen")


def removed_from_the_group(stage: Stage) -> None:
    stage.slack.groups["S0OPS"] = [user for user in stage.slack.groups["S0OPS"] if user != GRACE]
    stage.says(GRACE, "frozen")


def of_a_disabled_group(stage: Stage) -> None:
    stage.slack.disabled_groups.add("S0OPS")
    stage.says(GRACE, "frozen")


def slack_does_not_tell_who(stage: Stage) -> None:
    stage.slack.fail_next("users.info", "internal_error")
    stage.says(ADA, "frozen")


def slack_does_not_tell_of_the_group(stage: Stage) -> None:
    stage.slack.fail_next("usergroups.users.list", "internal_error")
    stage.says(GRACE, "frozen")


async def pressed_again(stage: Stage) -> None:
    press = stage.presses(ADA)
    await stage.settles()
    stage.slack.redeliver(press)


async def pressed_after_the_gate(stage: Stage) -> None:
    old = stage.gate_ts
    await stage.pass_gate()
    stage.forget()
    stage.presses(ADA, ts=old, as_it_was=True)


async def _made_void(stage: Stage) -> str:
    """The ts of a checkpoint that is void; its gate is posted anew."""
    old = stage.gate_ts
    await stage.pass_gate()
    stage.source_moves()
    stage.says(ADA, f"{BOT} retry")
    await stage.until(lambda: stage.run.gate is FREEZE and bool(stage.gate_ts))
    await stage.settles()
    stage.forget()
    return old


async def pressed_on_a_void_checkpoint(stage: Stage) -> None:
    stage.presses(ADA, ts=await _made_void(stage), as_it_was=True)


async def below_a_void_checkpoint(stage: Stage) -> None:
    stage.says(ADA, "frozen", await _made_void(stage))


async def pressed_in_another_run(stage: Stage) -> None:
    value = '{"run":"20240101-0000","word":"frozen","digest":"aaaaaaaaaaaa"}'
    text = {"type": "plain_text", "text": "frozen"}
    button = {"type": "button", "action_id": "cutover_signal", "text": text, "value": value}
    posted = await stage.bot_posts("Checkpoint 1", [{"type": "actions", "elements": [button]}])
    stage.presses(ADA, ts=posted)


async def freezes_now(stage: Stage) -> None:
    stage.presses(ADA, "cutover_freeze")
    await stage.until(lambda: stage.run.freeze_attempts == 1)


async def sent_again(stage: Stage) -> None:
    sent = await stage.sends(ADA, "frozen")
    await stage.settles()
    stage.slack.redeliver(sent)


# -- the table --------------------------------------------------------------------------------------------------------


def _pressed(user: str, text: Text, word: str = "frozen") -> str:
    answer = _to(user, text)
    return answer if answer.startswith(NAMES[user]) else f"<@{user}> pressed `{word}`. {answer}"


def _sent(user: str, text: str, said: Text) -> str:
    answer = _to(user, said)
    return answer if answer.startswith(NAMES[user]) else f"<@{user}> sent `/cutover {text}`. {answer}"


EIGHT_HOURS = {"window_minutes": 480}
OUT_OF_BOUNDS = (
    "Nothing was changed: say `window MINUTES` with a whole number from 480 to 100,000, counted from the freeze on. "
    "The window is 8 h (480 minutes) now."
)
NOT_LISTED = "you are not among the approvers"
GUESTS = "you are a guest in this workspace"
BOTS = "bots have no say here"
STRANGERS = "you belong to another workspace"

REPLIES: Mapping[str, Sequence[Reply]] = {
    "The word": [
        opens("`frozen`, in the channel", says("frozen")),
        opens("in the thread of the checkpoint", lambda stage: stage.says(ADA, "frozen", stage.gate_ts)),
        opens("in the thread of the header", lambda stage: stage.says(ADA, "frozen", stage.header_ts)),
        opens(
            "in the thread, and also sent to the channel",
            lambda stage: stage.says(ADA, "frozen", stage.gate_ts, broadcast=True),
        ),
        opens("with a mention of the bot", says(f"{BOT} frozen")),
        opens("with a mention and a colon", says(f"{BOT}: Frozen")),
        opens("as a phone types it: “Frozen.”", says("Frozen.")),
        opens("“FROZEN!!”", says("FROZEN!!")),
        opens("“frozen…”", says("frozen…")),
        opens("with white space around it", says("  frozen \n")),
        opens("as code: `` `frozen` ``", says("`frozen`")),
        opens("as a block of code", says("```frozen```")),
        opens("bold: `*frozen*`", says("*frozen*")),
        opens("italic: `_frozen_`", says("_frozen_")),
        opens("in a phone's quotation marks: ““frozen””", says("“frozen”")),
        third_gate("users-mapped"),
        third_gate("Users mapped."),
        third_gate("users_mapped"),
        third_gate("users—mapped"),
        third_gate("Users – Mapped"),
        third_gate("users\u2011mapped"),
    ],
    "Not the word": [
        refused("“froze”", says("froze"), NEAR),
        refused("“frozen?”", says("frozen?"), NEAR),
        refused("“not frozen yet”", says("not frozen yet"), NEAR),
        refused("“frozen, I think”", says("frozen, I think"), NEAR),
        refused("“is it frozen?”, by somebody who may not say it either", says("is it frozen?", BOB), NEAR),
        refused("as a quotation of somebody: `> frozen`", says("&gt; frozen"), NEAR),
        refused("struck out: `~frozen~`", says("~frozen~"), NEAR),
        nothing("a sentence about it", says("the peas are frozen and so is the pizza that we had ordered")),
        nothing("talk", says("lunch?")),
        refused(
            "another checkpoint's word: “exported”",
            says("exported"),
            sentences.other_gate(EXPORT, FREEZE, passed=False),
        ),
        refused(
            "in the thread of a checkpoint that is void",
            below_a_void_checkpoint,
            sentences.said_below_void(FREEZE, FREEZE.signal),
        ),
        refused(
            "“frozen”, when checkpoint 1 is passed", of_a_passed_gate, sentences.other_gate(FREEZE, EXPORT, passed=True)
        ),
        refused("an unknown word to the bot", says(f"{BOT} go"), sentences.unknown_word("go", signals.WORDS)),
    ],
    "Not typed by a person, then and there": [
        nothing("edited into the word", edited_into),
        opens("the word, and edited into something else after it was heard", edited_away),
        opens("the word, and deleted after it was heard", deleted_after),
        nothing("the word, lost on the way and edited before it was found", lost_and_edited),
        nothing("the word, lost on the way and deleted before it was found", lost_and_deleted),
        nothing(
            "a message of somebody else, forwarded with the word as comment",
            says("frozen", attachments=[{"is_share": True, "author_id": BOB, "text": "frozen", "channel_id": CHANNEL}]),
        ),
        nothing("a forwarded message without a comment", says("", attachments=[{"is_share": True, "text": "frozen"}])),
        nothing("with a file", says("frozen", subtype="file_share", files=[{"id": "F1"}], upload=True)),
        nothing("`/me frozen`", says("frozen", subtype="me_message")),
        nothing("another bot, in the old shape", lambda stage: stage.slack.say_as_bot("B0OTHER", "frozen")),
        nothing(
            "another bot, in the new shape, under an approver's name",
            lambda stage: stage.slack.say_as_bot("B0OTHER", "frozen", user=ADA, app_id="A0OTHER"),
        ),
        nothing(
            "an incoming webhook",
            lambda stage: stage.slack.say_as_bot("B0HOOK", "frozen", username="Ada", icons={"emoji": ":ada:"}),
        ),
        nothing(
            "a workflow",
            lambda stage: stage.slack.say_as_bot("B0FLOW", "frozen", user=ADA, workflow_id="Wf1", app_id="A0FLOW"),
        ),
        nothing("an app that posts as an approver", says("frozen", app_id="A0OTHER")),
        nothing("our own app", posted_by_ourselves),
    ],
    "Elsewhere": [
        nothing("in the thread of another message", in_another_thread),
        nothing("in another channel", in_another_channel),
        nothing("in a direct message to the bot", lambda stage: stage.says(ADA, "frozen", channel=DIRECT)),
        refused(
            "said before the checkpoint was posted, delivered after",
            lambda stage: stage.slack.redeliver(stage.early),
            sentences.older_than_offer(FREEZE),
        ),
        refused(
            "in the channel, which was shared with another workspace since",
            in_a_channel_shared_since,
            sentences.not_entitled("frozen", "this channel is shared with another workspace", MAY),
        ),
    ],
    "Who": [
        opens("a member of the approvers' user group", says("frozen", GRACE), GRACE),
        no_say("a member who is no approver", BOB, NOT_LISTED),
        refused(
            "a member removed from the group a second ago",
            removed_from_the_group,
            sentences.not_entitled("frozen", NOT_LISTED, MAY),
        ),
        refused(
            "a member of the group, which is disabled",
            of_a_disabled_group,
            sentences.not_entitled("frozen", "the user group `S0OPS` is unknown, disabled or deleted", MAY),
        ),
        no_say("a guest in several channels, though in the group", GUEST, GUESTS),
        no_say("a guest in this channel alone, though in the group", VISITOR, GUESTS),
        no_say("a deactivated person, though in the group", LEAVER, "your account is deactivated"),
        no_say("a stranger of another workspace, though in the group", EVE, STRANGERS),
        no_say(
            "somebody invited who has not joined yet, though in the group",
            INVITED,
            "you were invited to this workspace and have not joined it yet",
        ),
        no_say("a bot that writes like a person, though in the group", ROBOT, BOTS),
        refused(
            "an approver, while Slack does not say who that is",
            slack_does_not_tell_who,
            sentences.cannot_tell_who("frozen"),
        ),
        refused(
            "a member of the group, while Slack does not say who is in it",
            slack_does_not_tell_of_the_group,
            sentences.not_entitled(
                "frozen", "Slack did not tell me who is in the approvers' user groups, so try again in a minute", MAY
            ),
        ),
    ],
    "The button": [
        opens("pressed by an approver", lambda stage: stage.presses(ADA)),
        opens("pressed by a member of the group", lambda stage: stage.presses(GRACE), GRACE),
        refused(
            "pressed by a member who is no approver",
            lambda stage: stage.presses(BOB),
            _pressed(BOB, sentences.not_entitled("frozen", NOT_LISTED, MAY)),
        ),
        refused(
            "pressed by a stranger of another workspace",
            lambda stage: stage.presses(EVE),
            _pressed(EVE, sentences.not_entitled("frozen", STRANGERS, MAY)),
        ),
        refused(
            "pressed by a guest, though in the group",
            lambda stage: stage.presses(GUEST),
            _pressed(GUEST, sentences.not_entitled("frozen", GUESTS, MAY)),
        ),
        opens("pressed once and delivered twice", pressed_again),
        refused(
            "of checkpoint 1, when checkpoint 2 waits, on a screen that still shows it",
            pressed_after_the_gate,
            _pressed(ADA, sentences.other_gate(FREEZE, EXPORT, passed=True)),
        ),
        refused(
            "of a checkpoint that is void, when it was posted anew",
            pressed_on_a_void_checkpoint,
            _pressed(ADA, sentences.older_than_offer(FREEZE)),
        ),
        nothing("of an earlier run", pressed_in_another_run),
        Reply(
            "“Freeze Supabase now”, where the settings let the bot freeze",
            freezes_now,
            [_pressed(ADA, sentences.freezing(ADA, FREEZE.signal), "freeze")],
            follows=["freeze-asked", "freeze-applied"],
            rules={"freeze_mode": "bot"},
        ),
        Reply(
            "“Freeze Supabase now”, by a member who is no approver",
            lambda stage: stage.presses(BOB, "cutover_freeze"),
            [_pressed(BOB, sentences.not_entitled("freeze", NOT_LISTED, MAY), "freeze")],
            rules={"freeze_mode": "bot"},
        ),
    ],
    "The slash command": [
        replace(
            opens("`/cutover frozen` by an approver", lambda stage: stage.sends(ADA, "frozen")),
            private=slash.heard("frozen"),
        ),
        Reply(
            "`/cutover frozen` by a member who is no approver",
            lambda stage: stage.sends(BOB, "frozen"),
            [_sent(BOB, "frozen", sentences.not_entitled("frozen", NOT_LISTED, MAY))],
            private=slash.heard("frozen"),
        ),
        Reply(
            "`/cutover froze`",
            lambda stage: stage.sends(ADA, "froze"),
            [_sent(ADA, "froze", NEAR)],
            private=slash.heard("froze"),
        ),
        replace(opens("sent once and delivered twice", sent_again), private=slash.heard("frozen")),
        Reply(
            "alone: `/cutover`",
            lambda stage: stage.sends(BOB, ""),
            [_sent(BOB, "help", sentences.words(signals.WORDS, MAY))],
            private=slash.heard("help"),
        ),
        Reply(
            "in another channel",
            lambda stage: stage.sends(ADA, "frozen", channel=ELSEWHERE),
            private=slash.elsewhere(CHANNEL),
        ),
    ],
    "The window": [
        Reply(
            "“window 600”, where it was 8 h",
            says(f"{BOT} window 600"),
            ["The window is 10 h (600 minutes) from the freeze on now. Recorded under your name."],
            follows=["window-lengthened"],
            rules=EIGHT_HOURS,
        ),
        Reply("“window 100”, where it was 8 h", says(f"{BOT} window 100"), [OUT_OF_BOUNDS], rules=EIGHT_HOURS),
        Reply("“window 2 h more”", says(f"{BOT} window 2 h more"), [OUT_OF_BOUNDS], rules=EIGHT_HOURS),
        refused(
            "“window 600”, by a member who is no approver",
            says(f"{BOT} window 600", BOB),
            sentences.not_entitled("window", NOT_LISTED, MAY),
        ),
    ],
    "Once, or several times": [
        Reply("two approvers, one after the other", two_at_once, [taken(), BUSY], [ADA]),
        Reply("the same approver twice", the_same_twice, [taken(), BUSY], [ADA]),
        refused("while the step runs that it started", while_the_step_runs, sentences.step_runs("export")),
        Reply(
            "where two people are needed: one",
            says("frozen"),
            [ONE_MORE],
            [ADA],
            rules={"approvals": {"freeze": 2}},
        ),
        Reply(
            "where two people are needed: two",
            two_at_once,
            [ONE_MORE, taken(GRACE)],
            [ADA, GRACE],
            rules={"approvals": {"freeze": 2}},
        ),
        Reply(
            "where two people are needed: the same one twice",
            the_same_twice,
            [ONE_MORE, mrkdwn(sentences.said_already(FREEZE, 1))],
            [ADA],
            rules={"approvals": {"freeze": 2}},
        ),
        opens("once, and delivered three times", redelivered),
        opens("lost on the way, and found in the channel's history", lost_and_swept),
        opens("lost on the way, and found in the checkpoint's thread", lost_in_a_thread),
        opens("found in the history, and delivered after that", swept_and_late),
        opens("delivered late, after what was said later", late),
        Reply("two, delivered in the wrong order", out_of_order, [taken(GRACE), BUSY], [GRACE]),
    ],
}

OVER_HTTP = (
    "`frozen`, in the channel",
    "in the thread, and also sent to the channel",
    "“not frozen yet”",
    "edited into the word",
    "the word, and deleted after it was heard",
    "with a file",
    "another bot, in the new shape, under an approver's name",
    "our own app",
    "in a direct message to the bot",
    "a stranger of another workspace, though in the group",
    "pressed by an approver",
    "pressed once and delivered twice",
    "of an earlier run",
    "`/cutover frozen` by an approver",
    "`/cutover froze`",
    "sent once and delivered twice",
    "alone: `/cutover`",
    "once, and delivered three times",
    "lost on the way, and found in the channel's history",
    "delivered late, after what was said later",
    "two, delivered in the wrong order",
)
"""Every form that Slack sends something in, and every way it comes: behind these both transports are the same code."""

OTHER_SPELLINGS = (
    "with a mention and a colon",
    "“FROZEN!!”",
    "“frozen…”",
    "with white space around it",
    "as a block of code",
    "italic: `_frozen_`",
    "at checkpoint 3: “Users mapped.”",
    "at checkpoint 3: “users_mapped”",
    "at checkpoint 3: “Users – Mapped”",
    "at checkpoint 3: “users\u2011mapped”",
    "“froze”",
    "“frozen, I think”",
    "struck out: `~frozen~`",
)
"""What is read as the word, or is near it, is shown of text alone by `tests/plan/test_signals.py`; that the rest of the
bot goes by that is shown by the other replies, and by these where everything is played.
"""

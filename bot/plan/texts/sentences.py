"""The sentences that answer people's words, together, so that they can be read and tested as a whole.

Each says what happened (or that nothing did), and what to do when there is something to do. What is accepted or decided
by name has its sentences in `accepting`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bot.plan.events import MessageHeard
from bot.plan.gate import Gate
from bot.plan.offer import Approval, ApprovalState, Offer
from bot.plan.text import TICK, Code, Person, Text, called, items, joined, say, stacked
from bot.plan.texts.foreign import code, codes, marked, seen
from bot.plan.texts.listing import and_more

USERS_FEEL = say(
    "pages that only read still load; nothing can be saved. Sign-in and sign-up answer 500. Sessions cannot be "
    "refreshed, so people are signed out. Do not restart Auth: with a migration pending it does not start until the thaw."
)

_MOST_TABLES = 5


def names(ids: Iterable[str]) -> Text:
    """People and user groups, who are called, joined as a person would say them."""
    return joined([called(id_) for id_ in ids], by=", ", last=" or ")


def listed(ids: Iterable[str]) -> Text:
    """The same, so that nobody is called."""
    return joined([Person(id_) for id_ in ids], by=", ")


def to_author(message: MessageHeard, sentence: Text) -> Text:
    """A button and a slash command leave no message to answer under: the answer says whose word it is about."""
    if message.via == "message" or _begins_with(message.user, sentence):
        return sentence
    how = "{who} pressed `{word}`." if message.via == "button" else "{who} sent `/cutover {word}`."
    return joined([say(how, who=called(message.user), word=seen(message.text)), sentence])


def _begins_with(user: str, sentence: Text) -> bool:
    first = sentence.lines[0].parts[:1] if sentence.lines else ()
    return any(isinstance(part, Person) and part.id == user for part in first)


# -- gates ------------------------------------------------------------------------------------------------------------


def signal_taken(user: str, gate: Gate, digest: str) -> Text:
    return say(
        "{who} said `{word}` about evidence `{digest}`. Checking now; results appear here. If every check passes, "
        "this {starts}.",
        who=Person(user),
        word=gate.signal,
        digest=digest,
        starts=gate.starts,
    )


def near_miss(gate: Gate, may: Iterable[str]) -> Text:
    return say(
        "Nothing was started. The word is exactly `{word}`; {may} may say it. It {starts}.",
        word=gate.signal,
        may=names(may),
        starts=gate.starts,
    )


def not_entitled(word: str, why: str, may: Iterable[str]) -> Text:
    return say("Nothing was started: {why}. {may} may say `{word}`.", why=marked(why), may=names(may), word=word)


def cannot_tell_who(word: str) -> Text:
    return say("Nothing was started: Slack did not say who you are. Say `{word}` again in a minute.", word=word)


def other_gate(said: Gate, current: Gate, *, passed: bool) -> Text:
    """`passed`: the gate whose word was said is behind the run."""
    why = "the {said} checkpoint has passed" if passed else "`{given}` is the word of the {said} checkpoint"
    return say(
        f"Nothing was started: {why}. The {{current}} checkpoint waits for `{{word}}`.",
        said=said.title,
        given=said.signal,
        current=current.title,
        word=current.signal,
    )


def older_than_offer(gate: Gate) -> Text:
    return say(
        "Nothing was started: your message is older than this checkpoint. Read it and say `{word}` again.",
        word=gate.signal,
    )


def attention_open(reasons: Iterable[str]) -> Text:
    return say(
        "Nothing was started: some users will be migrated incompletely. Accept each reason first: {each}.",
        each=joined([code(f"accept {reason}") for reason in reasons], by=", "),
    )


def older_than_list(word: str) -> Text:
    return say(
        "Nothing was changed: your message is older than this list of users. Read it and say `{word}` again.",
        word=word,
    )


def said_already(gate: Gate, missing: int) -> Text:
    return say(
        "Nothing was changed: you have said `{word}` already. This checkpoint needs {people}.",
        word=gate.signal,
        people=_people(missing),
    )


def same_person(gate: Gate, may: Iterable[str]) -> Text:
    return say(
        "Nothing was started: you opened every earlier checkpoint, and this one needs another person. {may} may say "
        "`{word}`.",
        may=names(may),
        word=gate.signal,
    )


OPENED_ALL_BEFORE = "they opened every earlier checkpoint, and this one needs another person"


def waits_for_more(user: str, gate: Gate, digest: str, missing: int) -> Text:
    return say(
        "{who} said `{word}` about evidence `{digest}`. Waiting for {people}; then the checks run.",
        who=Person(user),
        word=gate.signal,
        digest=digest,
        people=_people(missing),
    )


def _people(missing: int) -> str:
    return "1 more approver" if missing == 1 else f"{missing} more approvers"


def approvals(given: Sequence[Approval], word: str) -> Text:
    """What became of each, a sentence each; empty for none. `word` is that of their gate."""
    return joined(
        say(
            "{who} said `{word}`: {state}.",
            who=Person(a.given.user, name=a.given.name),
            word=word,
            state=APPROVAL_STATES[a.state],
        )
        for a in given
    )


APPROVAL_STATES: Mapping[ApprovalState, str] = {
    "received": "received, another approver is needed",
    "checking": "being checked",
    "spent": "used, the checkpoint has passed",
    "refused": "refused by the checks",
    "withdrawn": "withdrawn by a hold",
    "lapsed": "void, they may no longer give it",
    "void": "void, the evidence has changed",
}


def who(gate: Gate, may: Iterable[str], needed: int, offer: Offer | None, *, deny_same_person: bool) -> Text:
    """Who may say the next word; nobody is called."""
    return joined(
        [
            say(
                "The {gate} checkpoint opens on `{word}`, from {number}: {may}. They may also say every word that "
                "starts or undoes something.",
                gate=gate.title,
                word=gate.signal,
                number="one of these" if needed == 1 else f"{needed} of these",
                may=listed(may),
            ),
            "Whoever opened every earlier checkpoint may not open the last." if deny_same_person else "",
            say("Every full member may say `status`, `who`, `help`, `report` and `hold REASON`."),
            approvals(offer.approvals, gate.signal) if offer is not None else "",
        ]
    )


def who_starts(may: Iterable[str]) -> Text:
    """Before there is a gate; nobody is called."""
    return say("The run waits for `start`, from one of these: {may}.", may=listed(may))


def said_below_void(gate: Gate, word: str) -> Text:
    return say(
        "Nothing was changed: this thread belongs to an earlier {gate} checkpoint, which is void. Read the newest "
        "checkpoint and say `{word}` there or in the channel.",
        gate=gate.title,
        word=word,
    )


def not_yet(gate: Gate) -> Text:
    return say(
        "Nothing was changed: that word does nothing now. The {gate} checkpoint waits for `{word}`.",
        gate=gate.title,
        word=gate.signal,
    )


def being_checked(gate: Gate) -> Text:
    return say("Nothing was changed: `{word}` is being checked already. Results appear here.", word=gate.signal)


def step_runs(step: str) -> Text:
    return say(
        "Nothing was changed: the step `{step}` is running. The next checkpoint is posted when it ends.", step=step
    )


# -- the words to the bot ---------------------------------------------------------------------------------------------


def words(known: Iterable[str], may: Iterable[str]) -> Text:
    return stacked(
        say(
            "Say a checkpoint's own word in the channel or in a thread of the run. Words to me, after a mention or as "
            "`/cutover`:"
        ),
        items(say("`{usage}`: {what}", usage=_USAGE[word][0], what=_USAGE[word][1]) for word in known),
        say("Approvers: {may}.", may=listed(may)),
    )


_USAGE = {
    "status": ("status", "what the run is doing"),
    "who": ("who", "who may open this checkpoint"),
    "help": ("help", "this list"),
    "report": ("report", "what has happened so far, and who said what"),
    "hold": ("hold REASON", "stop at a safe point and withdraw approvals; any full member may"),
    "start": ("start", "begin a run that waits for the word"),
    "freeze": ("freeze", "let me freeze Supabase, where the settings allow it"),
    "accept": (
        "accept NAME…[: why]",
        "let reasons, checks or unreadable tables pass, by their names; for the last two say why",
    ),
    "decide": ("decide ID match STACK_ID | create | skip", "say who a user is in Stack Auth"),
    "retry": ("retry", "continue a held run, or migrate users that are not mapped yet"),
    "thaw": ("thaw", "unfreeze Supabase, after a second yes; the run goes back to the Freeze checkpoint"),
    "abort": ("abort", "stop, thaw and end the run, after a second yes"),
    "tick": ("tick KEY", "state that an item of the checklist is so; any full member may"),
    "untick": ("untick KEY", "take a tick back; the checkpoint waits for its checklist again"),
    "window": ("window MINUTES", "lengthen the window, counted from the freeze on"),
    "release": ("release", "the new system is live: I stop watching"),
}


def unknown_word(word: str, known: Iterable[str]) -> Text:
    return say(
        "Nothing was changed: I do not know {word}. I know {known}, and the checkpoints' own words.",
        word=Code(word) if word.isascii() and word.isalnum() else "that word",
        known=joined(codes(known), by=", "),
    )


def not_started(may: Iterable[str]) -> Text:
    return say(
        "Nothing was started: this run waits for the word. {may} may say `start` to me; then the first checkpoint is "
        "posted.",
        may=names(may),
    )


def started_already(run_id: str) -> Text:
    return say("Nothing was changed: run {run} has started already.", run=run_id)


def started(gate: Gate) -> Text:
    return say(
        "The run starts. The {gate} checkpoint follows; its word is `{word}`.", gate=gate.title, word=gate.signal
    )


def people_freeze() -> Text:
    return say(
        "Nothing was frozen: the settings say that people freeze. Run the SQL that `cutover freeze-sql` prints, or set "
        "freeze.mode to `bot` for the next run."
    )


def frozen_already() -> Text:
    return say("Nothing was changed: the freeze is verified already.")


def freezing(user: str, word: str) -> Text:
    return say(
        "{who} said `freeze`. Freezing Supabase now: I set the layers and end every older session. Results appear here. "
        "Then say `{word}`, and the checks run.",
        who=Person(user),
        word=word,
    )


FREEZING = say("Nothing was changed: Supabase is being frozen now. Results appear here in a moment.")


LIFTED_WHILE_CHECKED = "The freeze was lifted during the checks, so their results prove nothing."
FREEZE_AGAIN = "freeze again, which ends the sessions that began meanwhile, and say `frozen` again"


# -- in the fixes of findings, whose code is between backticks ----------------------------------------------------


def waiving(check: str) -> str:
    return f"`accept {check}: WHY`"


def accepting(tables: Sequence[str]) -> str:
    each = [f"`accept unreadable:{seen(table).replace('`', TICK)}: WHY`" for table in tables[:_MOST_TABLES]]
    return ", ".join(and_more(each, len(tables)))

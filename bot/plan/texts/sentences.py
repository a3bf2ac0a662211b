"""The sentences that answer and tell people, together, so that they can be read and tested as a whole.

Each says what happened (or that nothing did), and what to do when there is something to do. They are Slack's mrkdwn and
hold nothing foreign: names of gates, words, counts, user ids as mentions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bot.plan.checklist import Item
from bot.plan.events import MessageHeard
from bot.plan.gate import Gate
from bot.plan.offer import Approval, ApprovalState, Offer
from bot.plan.texts.foreign import shown

USERS_FEEL = (
    "from the freeze on, pages that only read still load, and nothing can be saved. Sign-in and sign-up answer 500. Sessions cannot be "
    "refreshed, so people are signed out. Do not restart Auth: with a migration pending it does not start again before the thaw."
)

_MOST_TABLES = 5


def names(ids: Iterable[str]) -> str:
    """Slack users and user groups as mentions, joined as a person would say them."""
    mentions = [f"<!subteam^{id_}>" if id_.startswith("S") else f"<@{id_}>" for id_ in ids]
    return " or ".join([", ".join(mentions[:-1]), mentions[-1]] if len(mentions) > 1 else mentions)


def to_author(message: MessageHeard, sentence: str) -> str:
    """A button and a slash command leave no message to answer under: the answer says whose word it is about."""
    if message.via == "message" or sentence.startswith(f"<@{message.user}>"):
        return sentence
    how = f"pressed `{message.text}`" if message.via == "button" else f"sent `/cutover {shown(message.text)}`"
    return f"<@{message.user}> {how}. {sentence}"


def signal_taken(user: str, gate: Gate, digest: str) -> str:
    return (
        f"<@{user}> said `{gate.signal}` about evidence `{digest}`. I am trying to prove it wrong now, and tell here what I find; "
        f"if nothing speaks against it, this {gate.starts}."
    )


def near_miss(gate: Gate, may: Iterable[str]) -> str:
    return f"Nothing was started. The word is exactly `{gate.signal}`; {names(may)} may say it, and it {gate.starts}."


def not_entitled(word: str, why: str, may: Iterable[str]) -> str:
    return f"Nothing was started: {why}. {names(may)} may say `{word}`."


def cannot_tell_who(word: str) -> str:
    return f"Nothing was started: Slack did not tell me who you are, and without that no gate opens. Say `{word}` again in a minute."


def other_gate(said: Gate, current: Gate, *, passed: bool) -> str:
    if passed:
        return f"Nothing was started: the {said.title} checkpoint is passed already. The {current.title} checkpoint waits for `{current.signal}`."
    return (
        f"Nothing was started: `{said.signal}` belongs to the {said.title} checkpoint, and the run is at the {current.title} checkpoint. "
        f"Its word is `{current.signal}`."
    )


def older_than_offer(gate: Gate) -> str:
    return f"Nothing was started: this was said before the present checkpoint was posted, so it cannot be about it. Read the newest checkpoint and say `{gate.signal}` again."


def attention_open(reasons: Iterable[str]) -> str:
    each = ", ".join(f"`accept {reason}`" for reason in reasons)
    return f"Nothing was started: some users could not be carried over whole and nobody has accepted that yet. Read the list in this thread, then say to me: {each}."


def older_than_list(word: str) -> str:
    return f"Nothing was changed: this was said before the list of users was posted, so it cannot be about it. Read the checkpoint and say `{word}` again."


def said_already(gate: Gate, missing: int) -> str:
    return f"Nothing was changed: you have said `{gate.signal}` already, and this gate takes {_people(missing)}."


def same_person(gate: Gate, may: Iterable[str]) -> str:
    return (
        f"Nothing was started: you have opened every gate so far, and the settings want another person for this one. {names(may)} may say "
        f"`{gate.signal}`."
    )


OPENED_ALL_BEFORE = "they have opened every gate so far, and the settings want another person for this one"


def waits_for_more(user: str, gate: Gate, digest: str, missing: int) -> str:
    return f"<@{user}> said `{gate.signal}` about evidence `{digest}`. This gate takes {_people(missing)}; then I try to prove it wrong."


def _people(missing: int) -> str:
    return "one more approver" if missing == 1 else f"{missing} more approvers"


def approvals(given: Sequence[Approval], signal: str) -> str:
    """What became of each, as sentences with a space before; "" for none."""
    return "".join(f" `{a.given.user}` said `{signal}`: {_STATES[a.state]}." for a in given)


_STATES: Mapping[ApprovalState, str] = {
    "received": "received, and another approver's is needed",
    "checking": "being checked",
    "spent": "spent, the gate is passed",
    "refused": "refused by what was found",
    "withdrawn": "withdrawn, since somebody said `hold`",
    "lapsed": "void, since they may no longer give it",
    "void": "void, since what it was given for has moved",
}


def who(gate: Gate, may: Iterable[str], needed: int, offer: Offer | None, *, deny_same_person: bool) -> str:
    """Who may say the next word. Ids as code, so that asking calls nobody."""
    listed = ", ".join(f"`{id_}`" for id_ in may)
    takes = "one of them is enough" if needed == 1 else f"it takes {needed} of them"
    given = approvals(offer.approvals, gate.signal) if offer is not None else ""
    other = " Whoever opened all gates before may not open the last." if deny_same_person else ""
    return (
        f"The {gate.title} checkpoint opens on `{gate.signal}`. These people and groups may say it, and every word that starts or undoes "
        f"something: {listed}; {takes}.{other} Every full member may say `status`, `who`, `help`, `report` and `hold REASON`.{given}"
    )


def who_starts(may: Iterable[str]) -> str:
    """Before there is a gate. Ids as code, so that asking calls nobody."""
    listed = ", ".join(f"`{id_}`" for id_ in may)
    return f"The run waits for `start`. These people and groups may say it: {listed}; one of them is enough."


def words(known: Iterable[str], may: Iterable[str]) -> str:
    lines = "\n".join(f"• `{_USAGE[word][0]}`: {_USAGE[word][1]}" for word in known)
    listed = ", ".join(f"`{id_}`" for id_ in may)
    return f"The checkpoints' own words are said in the channel or a thread of the run. Words to me, after a mention or as `/cutover`:\n{lines}\nApprovers: {listed}."


_USAGE = {
    "status": ("status", "where the run stands"),
    "who": ("who", "who may open the gate at hand"),
    "help": ("help", "this list"),
    "report": ("report", "what has happened so far, and on whose word"),
    "hold": ("hold REASON", "stop at a safe point and withdraw approvals; any full member may"),
    "start": ("start", "begin a run that waits for the word"),
    "freeze": ("freeze", "let me freeze Supabase, where the settings say that the bot does it"),
    "accept": (
        "accept NAME…[: why]",
        "let reasons, checks or unreadable tables pass, by their names; for the last two say why",
    ),
    "decide": ("decide ID match STACK_ID | create | skip", "say who a user is in Stack Auth"),
    "retry": ("retry", "go on with what is held, or with users that are not mapped"),
    "thaw": ("thaw", "let Supabase write again, after a second yes; the run goes back to checkpoint 1"),
    "abort": ("abort", "stop, thaw and end the run, after a second yes"),
    "tick": ("tick KEY", "state that an item of the checklist is so; any full member may"),
    "untick": ("untick KEY", "take a tick back; the checkpoint waits for its checklist again"),
    "release": ("release", "the new system is live: I stop watching"),
}


def not_started(may: Iterable[str]) -> str:
    return f"Nothing was started: this run waits for the word. {names(may)} may say `start` to me; then the first checkpoint is posted."


def said_below_void(gate: Gate, word: str) -> str:
    return f"Nothing was changed: this was said in the thread of an earlier the {gate.title} checkpoint, which is void. Read the newest checkpoint and say `{word}` again there or in the channel."


def not_yet(gate: Gate) -> str:
    return f"Nothing was changed: that word has no place here. The {gate.title} checkpoint waits for `{gate.signal}`."


def started_already(run_id: str) -> str:
    return f"Nothing was changed: run {run_id} has begun already."


def started(gate: Gate) -> str:
    return f"The run begins: the {gate.title} checkpoint is posted now, and waits for `{gate.signal}`."


def people_freeze() -> str:
    return "Nothing was frozen: the settings say that people freeze. Run the SQL that `cutover freeze-sql` prints, or set freeze.mode to `bot` for the next run."


def frozen_already() -> str:
    return "Nothing was changed: the freeze has been proven already."


def freezing(user: str, signal: str) -> str:
    return f"Freezing on the word of <@{user}>: I set the layers and end every older session, and tell here what I did. Then say `{signal}`, and I try to prove it wrong."


FREEZING = "Nothing was changed: Supabase is being frozen just now. What was done comes here in a moment."


def why_held() -> str:
    return "Nothing was held: say why, as in `hold the orders look wrong`."


def held_now(may: Iterable[str]) -> str:
    return f"Held: what was under way stops at a safe point, and approvals that were not spent are withdrawn. {names(may)} may say `retry` to me."


THAWED_AFTER_HANDOVER = "The handover stands, and I stop watching. What is written from then on is not in the bundle."
THAWED_AFTER_DRY_RUN = "What the dry run found stays, and I stop watching."
THAWED_BEFORE_HANDOVER = (
    "Every gate passed so far is void, and the freeze gate is posted anew; users created so far stay in Stack Auth."
)
THAWED_BEFORE_START = "The run has not begun, and waits for `start` as before."


def thaw_asked(then: str) -> str:
    """`then` is one of those above."""
    return f"Nothing was thawed yet. `thaw` stops what is under way, lets Supabase write again and proves it. {then} To do it, say `thaw yes` to me within 10 minutes."


def thawing() -> str:
    return "Thawing Supabase and proving that it writes again. What I find comes here."


def not_watched() -> str:
    return "Nothing was changed: nobody watches the source any more."


def not_handed_over() -> str:
    return "Nothing was released: the run is not handed over yet, and until then the freeze is watched. `thaw` or `abort` take it back."


def released(*, thaw_failed: bool, dry_run: bool) -> str:
    live = (
        "Released: I no longer watch Supabase."
        if dry_run
        else "Released: the new system is live, and I no longer watch the old one."
    )
    if thaw_failed:
        return f"{live} Whether it is still frozen is not known, since the last thaw failed: `cutover thaw --check` tells, and `cutover thaw` lets it write again."
    stays = "what the dry run found" if dry_run else "the mapping"
    return f"{live} It stays frozen until somebody thaws it; {stays} stays on disk."


RELEASED = "Released: the new system is stable, and I no longer watch Supabase. It stays frozen until somebody thaws it with `cutover thaw`; the mapping stays on disk."


def took_effect(doing: str) -> str:
    return f"This took effect before I was interrupted. Now {doing}."


def being_checked(gate: Gate) -> str:
    return f"Nothing was changed: `{gate.signal}` is being checked already. The findings come here."


def step_runs(step: str) -> str:
    return f"Nothing was changed: the step `{step}` is running. The next checkpoint will be posted when it has ended."


def held(why: str) -> str:
    return f"Nothing was started: the run is held. {why} Say `retry` to me to go on, or `abort` to go back."


def thaw_held(why: str) -> str:
    return f"Nothing was started: Supabase is to be thawed, and that did not succeed. {why} Say `retry` to me to thaw again."


def over(phase: str) -> str:
    return f"Nothing was changed: the run is {phase}."


def accepted(reason: str, count: int) -> str:
    return f"Accepted: {count} {'user is' if count == 1 else 'users are'} carried over in part because of `{reason}`. It stands in the record under your name."


def nothing_to_accept(name: str, known: Iterable[str]) -> str:
    listed = ", ".join(f"`{shown(each)}`" for each in known)
    if not listed:
        return "Nothing was accepted: there is nothing to accept at this point."
    named = f"`{shown(name)}`" if shown(name) else "that"
    return f"Nothing was accepted: {named} is not to be accepted here. To accept now: {listed}."


def why_waived(check: str) -> str:
    return f"Nothing was accepted: say why the gate may pass in spite of it, as in `accept {check}: we looked at it by hand`."


def older_than_finding(check: str) -> str:
    return f"Nothing was accepted: this was said before the last finding of `{check}` was posted, so it cannot be about it. Read that and say it again."


def never_waived(check: str) -> str:
    return (
        f"Nothing was accepted: `{check}` cannot be waived, since data could be lost. Its finding says how to fix it."
    )


def waived_by_you(check: str) -> str:
    return f"Nothing was accepted: you have accepted `{check}` already, and it takes another approver."


def waived(check: str, missing: int, word: str) -> str:
    if missing:
        return (
            f"Accepted by you: `{check}`. It takes another approver, who says the same; until then the gate stays shut."
        )
    return f"Accepted: the gate may pass in spite of what `{check}` found. If it finds anything else, that must be accepted anew. It is recorded under your name, and shown at every later gate and in the closing. Say `{word}` again."


def waived_while_checked(check: str) -> str:
    return f"Nothing was accepted: the gate is being checked. When the checks have ended, read the finding of `{check}` and say it again."


def why_without_colon(left_over: str, names: Sequence[str]) -> str:
    """`left_over` is what stands behind the names, in place of another."""
    known = " ".join(shown(name) for name in names)
    return f"Nothing was accepted: `{shown(left_over)}` is not a name to accept here. If it is your reason, put a colon before it: `accept {known}: {shown(left_over)}`."


def decided(id_: str, choice: str, stack_id: str) -> str:
    what = {
        "match": f"is the Stack Auth user `{stack_id}`",
        "create": "is created as a new user",
        "skip": "is left out",
    }[choice]
    return f"Decided: `{id_}` {what}. It stands in the record under your name. Say `retry` to me to carry it out, when all is decided."


def how_to_decide() -> str:
    return "Nothing was decided: say `decide ID match STACK_ID`, `decide ID create` or `decide ID skip`, with ids as they stand in the list."


def nobody_to_decide(known: Sequence[str]) -> str:
    if not known:
        return "Nothing was decided: there is nobody to decide on at this point."
    more = f" and {len(known) - 3} more" if len(known) > 3 else ""
    listed = ", ".join(f"`{id_}`" for id_ in known[:3])
    return f"Nothing was decided: this user is not among those to decide on: {listed}{more}; `user-attention.json` has the list."


def decisions_wait(count: int) -> str:
    what = "a decision has" if count == 1 else f"{count} decisions have"
    return f"Nothing was started: {what} not been carried out yet. Say `retry` to me first."


def retrying(what: str) -> str:
    return f"Going on: {what}."


def nothing_to_retry(gate: Gate) -> str:
    return f"Nothing was started: nothing is held. The {gate.title} checkpoint waits for `{gate.signal}`."


def abort_asked(undoes: str) -> str:
    return (
        f"Nothing was stopped yet. `abort` stops the run at a safe point, thaws Supabase and proves that it writes again. {undoes} "
        "To do it, say `abort yes` to me within 10 minutes."
    )


def aborting() -> str:
    return "Stopping at a safe point, then thawing Supabase and proving that it writes again. What I find comes here."


def nothing_to_confirm(word: str) -> str:
    return f"Nothing was stopped: nobody asked for `{word}` in the last 10 minutes. Say `{word}` to me first and read what it undoes."


def warning_unread(word: str) -> str:
    return f"Nothing was stopped: you said this before my answer to `{word}` was posted. Read there what it undoes, and say `{word} yes` again."


def warning_outdated(word: str) -> str:
    return f"Nothing was stopped: the run has moved on, and `{word}` undoes something else now. Say `{word}` to me first and read what it undoes."


def unknown_word(word: str, known: Iterable[str]) -> str:
    listed = ", ".join(f"`{name}`" for name in known)
    return f"Nothing was changed: I do not know {f'`{word}`' if word.isascii() and word.isalnum() else 'that word'}. I know {listed}, and the checkpoints' own words."


LIFTED_WHILE_CHECKED = "The freeze was lifted while it was being checked, so that what was found before proves nothing."
FREEZE_AGAIN = "freeze again, which ends the sessions that began meanwhile, and say `frozen` again"


def waiving(check: str) -> str:
    return f"`accept {check}: WHY`"


def accepting(tables: Sequence[str]) -> str:
    listed = ", ".join(f"`accept unreadable:{shown(table)}: WHY`" for table in tables[:_MOST_TABLES])
    more = len(tables) - _MOST_TABLES
    return f"{listed} and {more} more" if more > 0 else listed


def left_unread(table: str, others: Sequence[str], word: str) -> str:
    """`word` is what goes on once nothing is open any more."""
    then = f"Still to be read or left out: {accepting(others)}." if others else f"Say `{word}` to go on without it."
    return f"Accepted: the export leaves out `{shown(table)}`. It stands in the record and in the bundle under your name, with your reason. {then}"


def no_such_table_to_leave_out(tables: Sequence[str]) -> str:
    listed = f" Name one of these: {accepting(tables)}." if tables else " There is none that could not be read."
    return f"Nothing was accepted: no table of that name is open.{listed}"


def why_left_out(table: str) -> str:
    return f"Nothing was accepted: say why the export may leave it out, as in `accept unreadable:{shown(table)}: it holds only caches`."


def older_than_unreadable() -> str:
    return "Nothing was accepted: this was said before the table was named here, so it cannot be about it. Read that and say it again."


def checklist_open(gate: Gate, items: Sequence[str]) -> str:
    return f"Nothing was started: the checklist of the {gate.title} checkpoint is not complete. Open: {_keys(items)}. When it is, the checkpoint is posted with its evidence; then say `{gate.signal}`."


def ticked(user: str, key: str, still_open: Sequence[str], gate: Gate) -> str:
    return f"<@{user}> ticked `{key}`. {_then(still_open, gate)}"


def item_accepted(key: str, still_open: Sequence[str], gate: Gate) -> str:
    return f"Accepted: `{key}` may stay open. Your reason is part of the evidence. {_then(still_open, gate)}"


def _then(still_open: Sequence[str], gate: Gate) -> str:
    if still_open:
        return f"Still open: {_keys(still_open)}."
    return f"The checklist is complete: the {gate.title} checkpoint is posted now, and waits for `{gate.signal}`."


def unticked(user: str, key: str, *, was_offered: bool) -> str:
    void = (
        " The checkpoint that was on offer is void; it is posted anew when the checklist is complete."
        if was_offered
        else ""
    )
    return f"<@{user}> took the tick of `{key}` back.{void}"


def ticked_already(key: str, item: Item) -> str:
    how = "ticked" if item.state == "ticked" else "accepted open"
    return f"Nothing was changed: `{key}` is {how} already, by `{item.user}`."


def not_ticked(key: str) -> str:
    return f"Nothing was changed: `{key}` is not ticked."


def no_checklist(gate: Gate) -> str:
    return f"Nothing was changed: the {gate.title} checkpoint has no checklist."


def no_such_item(known: Iterable[str]) -> str:
    return f"Nothing was changed: the checklist has no such item. It has {_keys(known)}."


def older_than_checklist(gate: Gate, key: str) -> str:
    return f"Nothing was changed: your message is older than this checklist of the {gate.title} checkpoint. Read it and say `tick {key}` again."


def why_item(key: str) -> str:
    return f"Nothing was accepted: say why it may stay open, as in `accept item-{key}: the provider confirmed it by phone`."


def released_by_gate(gate: Gate) -> str:
    return (
        f"Nothing was released: in this plan the {gate.title} checkpoint ends the watch. It waits for `{gate.signal}`."
    )


def _keys(keys: Iterable[str]) -> str:
    return ", ".join(f"`{key}`" for key in keys)

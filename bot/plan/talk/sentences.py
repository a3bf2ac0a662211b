"""The sentences that answer and tell people, together, so that they can be read and tested as a whole.

Each says what happened (or that nothing did), and what to do when there is something to do. They are Slack's mrkdwn and
hold nothing foreign: names of gates, words, counts, user ids as mentions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from bot.plan.checkpoints import Checkpoint
from bot.plan.events import RunOpened
from bot.plan.practice import Practice
from bot.plan.talk.amounts import duration, number

_MOST_TABLES = 5


def names(users: Iterable[str]) -> str:
    """Slack users as mentions, joined as a person would say them."""
    mentions = [f"<@{user}>" for user in users]
    return " or ".join([", ".join(mentions[:-1]), mentions[-1]] if len(mentions) > 1 else mentions)


def time_needed(opened: RunOpened, at: datetime) -> str:
    """What the night will take by the last practice, as far as that one can speak for it."""
    practice, parties = opened.practice, opened.parties
    if practice is None:
        return "not known. `cutover practice`, days before, tells it."
    when = f"{practice.taken_at:%Y-%m-%d}"
    if (practice.source_ref, practice.source_database) != (parties.source_ref, parties.source_database):
        return (
            f"not known: the practice of {when} was taken from another source. `cutover practice` tells it of this one."
        )
    told = [f"about {duration(practice.time_needed.total)} by the practice of {when}: {parts_of_time(practice)}."]
    if practice.is_old(at):
        told.append(f"That practice is {duration((at - practice.taken_at).total_seconds())} old: take another.")
    if practice.is_of_another_size(opened.estimated_rows):
        now, then = number(opened.estimated_rows or 0), number(practice.estimated_rows)
        told.append(f"The source has about {now} rows by now, and had about {then} then: take another.")
    return " ".join(told)


def parts_of_time(practice: Practice) -> str:
    """The time needed part by part, as a clause that says which of them is an assumption."""
    needed, speed = practice.time_needed, f"{practice.users_per_second:g}"
    return (
        f"export {duration(needed.export)}, checks {duration(needed.checks)}, "
        f"users {duration(needed.users)} if Stack Auth takes {speed} a second"
    )


def signal_taken(user: str, gate: Checkpoint, digest: str) -> str:
    return (
        f"<@{user}> said `{gate.signal}` about evidence `{digest}`. I am trying to prove it wrong now, and tell here what I find; "
        f"if nothing speaks against it, this {gate.starts}."
    )


def near_miss(gate: Checkpoint, may: Iterable[str]) -> str:
    return f"Nothing was started. The word is exactly `{gate.signal}`; {names(may)} may say it, and it {gate.starts}."


def not_entitled(word: str, why: str, may: Iterable[str]) -> str:
    return f"Nothing was started: {why}. {names(may)} may say `{word}`."


def cannot_tell_who(word: str) -> str:
    return f"Nothing was started: Slack did not tell me who you are, and without that no gate opens. Say `{word}` again in a minute."


def other_gate(said: Checkpoint, current: Checkpoint) -> str:
    if said.number < current.number:
        return f"Nothing was started: checkpoint {said.number} ({said.title}) is passed already. Checkpoint {current.number} waits for `{current.signal}`."
    return (
        f"Nothing was started: `{said.signal}` belongs to checkpoint {said.number} ({said.title}), and the run stands at checkpoint "
        f"{current.number} ({current.title}). Its word is `{current.signal}`."
    )


def older_than_offer(gate: Checkpoint) -> str:
    return f"Nothing was started: this was said before the present checkpoint was posted, so it cannot be about it. Read the newest checkpoint and say `{gate.signal}` again."


def attention_open(reasons: Iterable[str]) -> str:
    each = ", ".join(f"`accept {reason}`" for reason in reasons)
    return f"Nothing was started: some users could not be carried over whole and nobody has accepted that yet. Read the list in this thread, then say to me: {each}."


def older_than_list(word: str) -> str:
    return f"Nothing was changed: this was said before the list of users was posted, so it cannot be about it. Read the checkpoint and say `{word}` again."


def being_checked(gate: Checkpoint) -> str:
    return f"Nothing was changed: `{gate.signal}` is being checked already. The findings come here."


def step_runs(step: str) -> str:
    return f"Nothing was changed: the step `{step}` is running. The next checkpoint will be posted when it has ended."


def held(why: str) -> str:
    return f"Nothing was started: the run is held. {why} Say `retry` to me to go on, or `abort` to go back."


def thaw_held(why: str) -> str:
    return f"Nothing was started: the run is being aborted, and the thaw did not succeed. {why} Say `retry` to me to thaw again."


def over(phase: str) -> str:
    return f"Nothing was changed: the run is {phase}."


def accepted(reason: str, count: int) -> str:
    return f"Accepted: {count} {'user is' if count == 1 else 'users are'} carried over in part because of `{reason}`. It stands in the record under your name."


def nothing_to_accept(reason: str, known: Iterable[str]) -> str:
    listed = ", ".join(f"`{name}`" for name in known)
    if not listed:
        return "Nothing was accepted: there is nothing to accept at this point."
    named = f" `{reason}`" if reason.isascii() and reason.replace("-", "").isalnum() else " of that name"
    return f"Nothing was accepted: there is no reason{named} here. To accept now: {listed}."


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


def nothing_to_retry(gate: Checkpoint) -> str:
    return f"Nothing was started: nothing is held. Checkpoint {gate.number} waits for `{gate.signal}`."


def abort_asked(undoes: str) -> str:
    return (
        f"Nothing was stopped yet. `abort` stops the run at a safe point, thaws Supabase and proves that it writes again. {undoes} "
        "To do it, say `abort yes` to me within 10 minutes."
    )


def aborting() -> str:
    return "Stopping at a safe point, then thawing Supabase and proving that it writes again. What I find comes here."


def nothing_to_confirm() -> str:
    return "Nothing was stopped: nobody asked for `abort` in the last 10 minutes. Say `abort` to me first and read what it undoes."


def unknown_word(word: str, known: Iterable[str]) -> str:
    listed = ", ".join(f"`{name}`" for name in known)
    return f"Nothing was changed: I do not know {f'`{word}`' if word.isascii() and word.isalnum() else 'that word'}. I know {listed}, and the checkpoints' own words."


def waits(gate: Checkpoint, may: Iterable[str], minutes: int) -> str:
    return f"Checkpoint {gate.number} ({gate.title}) has waited for `{gate.signal}` for {_minutes(minutes)}. {names(may)} may say it. No gate opens by itself."


def drifted(changes: Iterable[str]) -> str:
    listed = "\n".join(f"• {change}" for change in changes)
    return (
        f"*The source has moved under the freeze.*\n{listed}\nEvery open approval is void and the export is no longer one instant's truth. "
        "Say `retry` to me, then freeze again: gate 1 is posted anew and all is exported again. Or say `abort`."
    )


def drifted_after_handover(changes: Iterable[str]) -> str:
    listed = "\n".join(f"• {change}" for change in changes)
    return (
        f"*The source has moved after the handover.*\n{listed}\nThe bundle stays as it was handed over, and this is not in it. "
        "Find out what wrote before the new system goes live; `cutover doctor --freeze` shows where the source stands."
    )


def step_failed(step: str, why: str, unreadable: Sequence[str], *, ends: bool) -> str:
    leave_out = (
        f" Or leave out what cannot be read, with {accepting(unreadable)}, and then `retry`." if unreadable else ""
    )
    start = (
        " I end now, since a credential is read only at a start: start `cutover run` again with one that works."
        if ends
        else ""
    )
    return f"*The step `{step}` stopped at a safe point.* {why}{start} Say `retry` to me to go on from there, or `abort` to go back.{leave_out}"


def accepting(tables: Sequence[str]) -> str:
    listed = ", ".join(f"`accept unreadable:{table} WHY`" for table in tables[:_MOST_TABLES])
    more = len(tables) - _MOST_TABLES
    return f"{listed} and {more} more" if more > 0 else listed


def left_unread(table: str, others: Sequence[str], word: str) -> str:
    """`word` is what goes on once nothing is open any more."""
    then = f"Still to be read or left out: {accepting(others)}." if others else f"Say `{word}` to go on without it."
    return f"Accepted: the export leaves out `{table}`. It stands in the record and in the bundle under your name, with your reason. {then}"


def no_such_table_to_leave_out(tables: Sequence[str]) -> str:
    listed = f" Name one of these: {accepting(tables)}." if tables else " There is none that could not be read."
    return f"Nothing was accepted: no table of that name is open.{listed}"


def why_left_out(table: str) -> str:
    return f"Nothing was accepted: say why the export may leave it out, as in `accept unreadable:{table} it holds only caches`."


def older_than_unreadable() -> str:
    return "Nothing was accepted: this was said before the table was named here, so it cannot be about it. Read that and say it again."


def thaw_failed(why: str) -> str:
    return f"*The thaw did not succeed.* {why} Say `retry` to me, or run `cutover thaw` on any machine that has the bundle or `cutover freeze-sql --thaw` in any SQL client."


def aborted(run_id: str) -> str:
    return (
        f"*Run {run_id} is aborted.* Supabase is thawed and writes again. Users created so far stay in Stack Auth and are listed in `users.jsonl`; "
        "nothing on disk was removed. `cutover run --new` opens the next run."
    )


def blinded(why: str) -> str:
    return f"*The freeze cannot be watched at present.* {why} I go on trying; until I can look again, nobody knows whether the source stands still."


def back_again(minutes: int, doing: str) -> str:
    return f"I was away for {_minutes(minutes)} and go on where I was: {doing}. Nothing that took effect is done a second time."


def _minutes(count: int) -> str:
    return "less than a minute" if count < 1 else "1 minute" if count == 1 else f"{count} minutes"

"""What the channel is told unasked: alarms, reminders, what the night will take. Together, so that they can be read and
tested as a whole; they are Slack's mrkdwn, and what is foreign in them stands in code spans.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from bot.plan.events import Entitlement, RunOpened
from bot.plan.gate import Gate
from bot.plan.practice import Practice
from bot.plan.texts.amounts import duration, number
from bot.plan.texts.foreign import shown
from bot.plan.texts.sentences import accepting, names

_MOST_TABLES = 5


def time_needed(opened: RunOpened, at: datetime) -> str:
    """What the night will take by the last practice, as far as that one can speak for it."""
    practice, parties = opened.practice, opened.parties
    if practice is None:
        return "not known. `cutover practice`, days before, tells it."
    when = f"{practice.taken_at:%Y-%m-%d}"
    if not practice.is_of(parties.source_ref, parties.source_database):
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


def freeze_failed(why: str) -> str:
    return f"*Supabase was not frozen, or not wholly.* {why} Say `freeze` to me again, or run the SQL that `cutover freeze-sql` prints; `thaw` takes back what was set."


def entitlements_differ(opened: Entitlement, today: Entitlement | None = None) -> str:
    """Told when a process starts whose settings say something else than those before it."""
    if today is None:
        return "*Who may open gates is again as the run was opened with*: this start's settings say the same."
    nobody = not (set(opened.users) & set(today.users) or opened.groups or today.groups)
    strict = "*Nobody is in both, so nobody can open a gate.* Stop the bot and start it with one of these people."
    return (
        "*This start's settings say something else about who may open gates than those that the run was opened with.*\n"
        f"• opened with: {_entitled(opened)}\n"
        f"• this start: {_entitled(today)}\n"
        f"{strict if nobody else 'An approver must be one by both, and the larger number of approvals counts.'}"
    )


def _entitled(entitled: Entitlement) -> str:
    listed = ", ".join(f"`{id_}`" for id_ in entitled.may) or "nobody"
    several = [f"{needed} at `{gate}`" for gate, needed in entitled.approvals.items() if needed > 1]
    takes = f"; approvals: {', '.join(several)}" if several else ""
    deny = "; whoever opened all gates before may not open the last" if entitled.deny_same_person else ""
    return f"{listed}{takes}{deny}"


def hold(user: str, why: str) -> str:
    return f"<@{user}> said hold: `{shown(why)}`."


def held_by(user: str, why: str, may: Iterable[str]) -> str:
    return f"*The run is held.* <@{user}> said why: `{shown(why)}`. Approvals that were not spent are withdrawn. {names(may)} may say `retry` to me to go on, or `abort`."


UNFROZEN = "The freeze was taken back, and the freeze gate is posted anew."


def thawed_elsewhere(at: datetime, *, overtaken: bool) -> str:
    then = " It was frozen again after that: what rests on the freeze as it is now is kept." if overtaken else ""
    return f"*Supabase was thawed at {at:%H:%M:%S} UTC, and not by me.* `cutover thaw` left a record of it, and what it found stands below.{then}"


def window_passes(percent: int, left: float, needed: float | None) -> str:
    """`left` and `needed` are seconds; `left` is below 0 once the window is over."""
    told = f"*{percent} % of the window have passed.*" if percent < 100 else "*The window is over.*"
    rest = f" {duration(left)} are left." if left > 0 else ""
    if needed is None:
        work = " How long the rest takes is not known, since no practice was taken of this source."
    elif needed > left:
        work = f" The work that is left needs about {duration(needed)} by the practice, without the time that people take: the window cannot be met. Say `thaw` to me to let users in again, or go on knowing it."
    else:
        work = (
            f" The work that is left needs about {duration(needed)} by the practice, without the time that people take."
        )
    return f"{told}{rest}{work}"


def waits(gate: Gate, may: Iterable[str], minutes: int) -> str:
    return f"The {gate.title} checkpoint has waited for `{gate.signal}` for {_minutes(minutes)}. {names(may)} may say it. No gate opens by itself."


def drifted(changes: Iterable[str], *, again: bool) -> str:
    listed = "\n".join(f"• {change}" for change in changes)
    if again:
        return f"*The source has moved again under the freeze.*\n{listed}\nSomebody still writes: find out who, and stop it. The run is held as before."
    return (
        f"*The source has moved under the freeze.*\n{listed}\nEvery open approval is void and the export is no longer one instant's truth. "
        "Say `retry` to me, then freeze again: the freeze gate is posted anew and all is exported again. Or say `thaw` to let users in again, or `abort`."
    )


def drifted_after_the_end(changes: Iterable[str], *, handed_over: bool, again: bool) -> str:
    """After the handover, or after a dry run, which hands nothing over."""
    listed = "\n".join(f"• {change}" for change in changes)
    moved = f"*The source has moved {'again ' if again else ''}after the {'handover' if handed_over else 'dry run'}.*"
    if not handed_over:
        return f"{moved}\n{listed}\nThe dry run has ended, and what it found stays as it was. `cutover thaw` lets users write again."
    return (
        f"{moved}\n{listed}\nThe bundle stays as it was handed over, and this is not in it. "
        "Find out what wrote before the new system goes live; `cutover doctor --freeze` shows where the source stands. "
        "I watch on until somebody says `release` or `thaw` to me."
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


def thaw_failed(why: str, *, over: bool) -> str:
    """A run that is `over` has nothing that `retry` could go on with."""
    again = "`thaw` to me again" if over else "`retry` to me"
    return f"*The thaw did not succeed.* {why} Say {again}, or run `cutover thaw` on any machine that has the bundle or `cutover freeze-sql --thaw` in any SQL client."


def aborted(run_id: str) -> str:
    return (
        f"*Run {run_id} is aborted.* Supabase is thawed and writes again. Users created so far stay in Stack Auth and are listed in `users.jsonl`; `cutover undo-users` deletes them. "
        "Nothing on disk was removed. `cutover run --new` opens the next run."
    )


def aborted_at_the_terminal() -> str:
    return "*Somebody aborts this run by `cutover abort`* at the terminal of the bot's machine, without this channel."


def guarded(tables: int, unguarded: Sequence[str], since: datetime, *, again: bool) -> str:
    gap = (
        "*The hard guard is held again.* Until then nobody was kept from writing by it; what moved meanwhile is seen by the watch and at the next gate."
        if again
        else "*The hard guard stands.* Whoever writes waits until the export has been checked, whatever they override."
    )
    listed = ", ".join(f"`{shown(table)}`" for table in unguarded[:_MOST_TABLES])
    more = len(unguarded) - _MOST_TABLES
    rest = f" Not to be locked by our role: {listed}{f' and {more} more' if more > 0 else ''}." if unguarded else ""
    return f"{gap} {number(tables)} tables, since {since:%H:%M:%S} UTC.{rest} Sequences and large objects are watched, not guarded."


def unguarded(why: str) -> str:
    return f"*The hard guard is not held.* {why} I go on trying; until then the freeze alone keeps writers out."


def blinded(why: str) -> str:
    return f"*The freeze cannot be watched at present.* {why} I go on trying; until I can look again, nobody knows whether the source stands still."


def second_instance(connections: int) -> str:
    return (
        f"*Another process is connected to Slack as this bot, or a connection that Slack has not dropped yet.* Slack counts {connections} connections and gives each "
        "message, button and slash command to one of them, so that some may not reach me. What is typed in the channel I find within a minute; a "
        "button or a slash command that went to the other is lost, so type the word. Stop the other process: an old bot, or somebody's machine."
    )


def left(why: str) -> str:
    """`why` is a sentence, or "" when the bot ends as it was meant to."""
    if not why:
        return "*I end here, and Supabase is frozen.* Nobody watches the freeze from now on. `cutover doctor --freeze` proves the freeze again; `cutover thaw` takes it back, and `cutover freeze-sql --thaw` prints the SQL that does."
    return f"*The bot has ended, and Supabase was frozen then.* {why} Nobody watches the freeze from now on, and what is said here waits. Start `cutover run` again to go on. `cutover thaw` takes the freeze back; so does the SQL in the thread of the freeze gate, and `cutover freeze-sql --thaw` prints it."


def kept(settings: Sequence[str]) -> str:
    """Told when a process starts whose settings say something else than the run was opened with."""
    named = [f"`{name}`" for name in settings]
    listed = " and ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named)
    return f"This run keeps {listed} as it was opened with: what this start's settings say otherwise counts from the next run on."


def back_again(minutes: int, doing: str) -> str:
    return f"I was away for {_minutes(minutes)} and go on where I was: {doing}. Nothing that took effect is done a second time."


def _minutes(count: int) -> str:
    return "less than a minute" if count < 1 else "1 minute" if count == 1 else f"{count} minutes"

"""What the bot says in the channel unasked: alarms, reminders, what the night will take. Together, so that they can be read and
tested as a whole. What happened comes first, then what to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from bot.plan.events import Entitlement, RunOpened
from bot.plan.gate import Gate
from bot.plan.practice import Practice
from bot.plan.text import Person, Text, items, joined, say, stacked
from bot.plan.texts.amounts import counted, duration, number, rate
from bot.plan.texts.foreign import codes, marked, seen, sentence, some
from bot.plan.texts.listing import and_more
from bot.plan.texts.sentences import accepting, names

_MOST_TABLES = 5


def time_needed(opened: RunOpened, at: datetime) -> Text:
    """What the night will take by the last practice, as far as that one can speak for it."""
    practice, parties = opened.practice, opened.parties
    if practice is None:
        return say("not known. Run `cutover practice` days before to measure it.")
    when = f"{practice.taken_at:%Y-%m-%d}"
    if not practice.is_of(parties.source_ref, parties.source_database):
        return say("not known: the practice of {when} had another source. Run `cutover practice`.", when=when)
    total = duration(practice.time_needed.total)
    told = [f"about {total} by the practice of {when}: {parts_of_time(practice)}."]
    if practice.is_old(at):
        told.append(f"That practice is {duration((at - practice.taken_at).total_seconds())} old: take another.")
    if practice.is_of_another_size(opened.estimated_rows):
        now, then = number(opened.estimated_rows or 0), number(practice.estimated_rows)
        told.append(f"The source has about {now} rows now and had {then} then: take another practice.")
    return joined(told)


def parts_of_time(practice: Practice) -> str:
    """The time needed part by part, as a clause that says which of them is an assumption."""
    needed = practice.time_needed
    return (
        f"export {duration(needed.export)}, checks {duration(needed.checks)}, "
        f"users {duration(needed.users)} if Stack Auth takes {rate(practice.users_per_second)} a second"
    )


# -- who and what the run goes by -------------------------------------------------------------------------------------


def entitlements_differ(opened: Entitlement, today: Entitlement | None = None) -> Text:
    """Posted when a process starts whose settings say something else than those before it."""
    if today is None:
        return say("*The approvers are again those the run was opened with*: this start's settings say the same.")
    nobody = not (set(opened.users) & set(today.users) or opened.groups or today.groups)
    return stacked(
        say("*This start's settings name other approvers than those the run was opened with.*"),
        items([say("opened with: {who}", who=_entitled(opened)), say("this start: {who}", who=_entitled(today))]),
        say("*Nobody is in both, so nobody can open a checkpoint.* Stop the bot and start it with one of these people.")
        if nobody
        else say("An approver must be in both. The larger number of approvals counts."),
    )


def _entitled(entitled: Entitlement) -> Text:
    several = [
        say("{needed} at `{gate}`", needed=needed, gate=gate)
        for gate, needed in entitled.approvals.items()
        if needed > 1
    ]
    return joined(
        [
            joined([Person(id_) for id_ in entitled.may], by=", ") or "nobody",
            say("approvals needed: {several}", several=joined(several, by=", ")) if several else "",
            "whoever opened every earlier checkpoint may not open the last" if entitled.deny_same_person else "",
        ],
        by="; ",
    )


def kept(settings: Sequence[str]) -> Text:
    """Posted when a process starts whose settings say something else than the run was opened with."""
    return say(
        "This run keeps {settings} as it was opened with. What this start's settings say counts from the next run on.",
        settings=joined(codes(settings), by=", ", last=" and "),
    )


def back_again(minutes: int, doing: Text) -> Text:
    return say(
        "I was away for {time} and continue: {doing}. Nothing that took effect is done twice.",
        time=_minutes(minutes),
        doing=doing,
    )


def left(why: str) -> Text:
    """`why` is a sentence, or "" when the bot ends as it was meant to."""
    if not why:
        return say(
            "*I end here, and Supabase is frozen.* Nobody watches the freeze now. `cutover doctor --freeze` verifies "
            "it; `cutover thaw` unfreezes Supabase, and so does the SQL that `cutover freeze-sql --thaw` prints."
        )
    return say(
        "*The bot has ended while Supabase is frozen.* {why} Nobody watches the freeze now, and nobody answers here. "
        "Start `cutover run` again to continue. To unfreeze: `cutover thaw`, or the SQL in the thread of the Freeze "
        "checkpoint, which `cutover freeze-sql --thaw` prints too.",
        why=sentence(why),
    )


def second_instance(connections: int) -> Text:
    return say(
        "*Another process is connected to Slack as this bot. Stop it:* an old bot, or somebody's machine. Slack counts "
        "{connections} connections and gives each message to one of them, so some do not reach me. What you type in "
        "the channel I find within a minute; a button or a slash command can be lost, so type the word. (It may also "
        "be a connection that Slack has not dropped yet.)",
        connections=connections,
    )


# -- waiting and stopping ---------------------------------------------------------------------------------------------


def checklist_waits(gate: Gate, open_items: Sequence[str], minutes: int) -> Text:
    return say(
        "The checklist of the {gate} checkpoint has been open for {time}. Still open: {keys}. Any full member of this "
        "workspace ticks what is so.",
        gate=gate.title,
        time=_minutes(minutes),
        keys=joined(codes(open_items), by=", "),
    )


def waits(gate: Gate, may: Iterable[str], minutes: int) -> Text:
    return say(
        "The {gate} checkpoint has waited for `{word}` for {time}. {may} may say it. No checkpoint opens by itself.",
        gate=gate.title,
        word=gate.signal,
        time=_minutes(minutes),
        may=names(may),
    )


def window_passes(percent: int, left: float, needed: float | None) -> Text:
    """`left` and `needed` are seconds; `left` is below 0 once the window is over."""
    if needed is None:
        work = say("The time for the remaining work is not known: no practice was taken of this source.")
    else:
        work = say(
            "The remaining work needs about {needed} by the practice, without the time that people take.",
            needed=duration(needed),
        )
    over = needed is not None and needed > left
    return joined(
        [
            say("*{percent} % of the window has passed.*", percent=percent)
            if percent < 100
            else say("*The window is over.*"),
            f"{duration(left)} left." if left > 0 else "",
            work,
            say("The window cannot be met: say `thaw` to me to let users in again, or continue anyway.")
            if over
            else "",
        ]
    )


def held_by(user: str, why: str, may: Iterable[str]) -> Text:
    return say(
        "*The run is held.* {who} said why: `{why}`. Unused approvals are withdrawn. {may} may say `retry` to me to "
        "continue, or `abort`.",
        who=Person(user),
        why=seen(why),
        may=names(may),
    )


def step_failed(step: str, why: str, unreadable: Sequence[str], *, ends: bool) -> Text:
    return joined(
        [
            say("*The step {step} stopped at a safe point.* {why}", step=step, why=sentence(why)),
            say("I end now, because credentials are read at the start: start `cutover run` again with one that works.")
            if ends
            else "",
            say("Say `retry` to me to continue from there, or `abort` to go back."),
            say(
                "Or leave out what cannot be read: {each}, then `retry`.",
                each=marked(accepting(unreadable)),
            )
            if unreadable
            else "",
        ]
    )


def aborted(run_id: str) -> Text:
    return say(
        "*Run {run} is aborted.* Supabase is unfrozen and writes work. Users created so far stay in Stack Auth, listed in "
        "`users.jsonl`; `cutover undo-users` deletes them. Nothing on disk was removed. `cutover run --new` opens the "
        "next run.",
        run=run_id,
    )


def aborted_at_the_terminal() -> Text:
    return say("*Somebody is aborting this run* at the bot's terminal, with `cutover abort`.")


# -- the source -------------------------------------------------------------------------------------------------------


def freeze_failed(why: str) -> Text:
    return say(
        "*Supabase is not frozen, or only in part.* {why} Say `freeze` to me again, or run the SQL that `cutover "
        "freeze-sql` prints; `thaw` undoes what was set.",
        why=sentence(why),
    )


def drifted(changes: Sequence[str], *, again: bool) -> Text:
    if again:
        return stacked(
            say("*The source has moved again under the freeze.*"),
            items(some(changes)),
            say("Somebody still writes: find out who, and stop it. The run stays held."),
        )
    return stacked(
        say("*The source has moved under the freeze.*"),
        items(some(changes)),
        say(
            "The export no longer matches the source, and open approvals are void. Say `retry` to me, then freeze "
            "again: everything is exported again. Or say `thaw` to let users in again, or `abort`."
        ),
    )


def drifted_after_the_end(changes: Sequence[str], *, handed_over: bool, again: bool) -> Text:
    """After the handover, or after a dry run, which hands nothing over."""
    moved = say(
        "*The source has moved {again}after the {end}.*",
        again="again " if again else "",
        end="handover" if handed_over else "dry run",
    )
    then = (
        say(
            "The bundle stays as it was handed over; this change is not in it. Find out what wrote before the new "
            "system goes live; `cutover doctor --freeze` shows the state of the source. I keep watching until somebody "
            "says `release` or `thaw` to me."
        )
        if handed_over
        else say("The results of the dry run stay. `cutover thaw` lets users write again.")
    )
    return stacked(moved, items(some(changes)), then)


def thaw_failed(why: str, *, over: bool) -> Text:
    """A run that is `over` has nothing that `retry` could go on with."""
    return say(
        "*The thaw failed.* {why} {again}, or run `cutover thaw` on any machine that has the bundle, or `cutover "
        "freeze-sql --thaw` in any SQL client.",
        why=sentence(why),
        again=say("Say `thaw` to me again" if over else "Say `retry` to me"),
    )


def thawed_elsewhere(at: datetime, *, overtaken: bool) -> Text:
    return joined(
        [
            say("*Supabase was thawed at {at:%H:%M:%S} UTC, and not by me.*", at=at),
            say("`cutover thaw` left a record of it; its findings are below."),
            "It was frozen again after that: what rests on the present freeze is kept." if overtaken else "",
        ]
    )


def guarded(tables: int, unguarded: Sequence[str], since: datetime, *, again: bool) -> Text:
    return joined(
        [
            say(
                "*The hard guard is set again.* It was off for a while; what moved meanwhile shows in the watch and at "
                "the next checkpoint."
            )
            if again
            else say(
                "*The hard guard is set.* Whoever writes waits until the export is checked, whatever they override."
            ),
            say("{tables}, since {since:%H:%M:%S} UTC.", tables=counted(tables, "table"), since=since),
            say("Our role cannot lock: {tables}.", tables=joined(_some(unguarded), by=", ")) if unguarded else "",
            "Sequences and large objects are watched, not guarded.",
        ]
    )


def _some(tables: Sequence[str]) -> Iterable[Text | str]:
    return and_more([joined([name]) for name in codes(tables[:_MOST_TABLES])], len(tables))


def unguarded(why: str) -> Text:
    return say(
        "*The hard guard is off.* {why} I keep trying; until then only the freeze stops writers.", why=sentence(why)
    )


def blinded(why: str) -> Text:
    return say(
        "*I cannot watch the freeze now.* {why} I keep trying; until I can look again, nobody knows whether the source "
        "moves.",
        why=sentence(why),
    )


def _minutes(count: int) -> str:
    return "less than a minute" if count < 1 else counted(count, "minute")

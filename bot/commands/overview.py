"""Where a run is, for a person at a terminal: everything that whoever takes over at night asks first. Pure.

One line for each thing, its name at the left, what to do last. Times are UTC; the freeze time is the database's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from bot.artifacts import files
from bot.plan import window
from bot.plan.gate import Gate
from bot.plan.offer import Offer
from bot.plan.retention import kept_until
from bot.plan.run import Phase, Run
from bot.plan.text import Text, named, plain
from bot.plan.texts import sentences
from bot.plan.texts.alarms import time_needed
from bot.plan.texts.amounts import counted, duration, number, size
from bot.plan.texts.approvals import approved_by
from bot.plan.texts.listing import listed
from bot.plan.texts.next_step import next_step
from bot.plan.texts.state import doing

_AT = "%Y-%m-%d %H:%M:%S UTC"
_MOST_DECISIONS = 5


def overview(run: Run, now: datetime, *, running: bool, pid: int | None, kept: Sequence[str] = ()) -> Iterator[str]:
    """`running`: a bot works on it at this moment, `pid` is its process where that is known. `kept` are the lines
    that say until when what lies here is kept.
    """
    yield f"Run {run.run_id}, opened {run.opened.at:{_AT}}"
    for heading, lines in _parts(run, now, running=running, pid=pid, kept=kept):
        for n, line in enumerate(lines):
            yield f"  {'' if n else heading:<9} {line}"


def window_ends(run: Run) -> datetime | None:
    """None where no window runs."""
    return None if run.is_window_over or not run.frozen else window.passes_at(run, 100)


def _parts(
    run: Run, now: datetime, *, running: bool, pid: int | None, kept: Sequence[str]
) -> Iterator[tuple[str, Iterable[str]]]:  # the order of the lines
    parties = run.opened.parties
    yield "source", [f"Supabase {parties.source_ref}, database {parties.source_database}"]
    yield "target", [f"Stack Auth project {parties.target_project}"]
    yield "bot", [_bot(run, running=running, pid=pid)]
    yield "now" if running or not _is_open(run) else "last", [_capital(doing(run))]
    yield "plan", [_gate(run, gate) for gate in run.plan.gates]
    yield "open", _checklist(run)
    yield "who", _who(run)
    yield "said", _said(run)
    yield "freeze", [_freeze(run, running=running)]
    yield "window", _window(run, now)
    yield "exported", _exported(run)
    yield "users", _users(run)
    yield "accept", _to_accept(run)
    yield "decide", _to_decide(run)
    yield "digest", [run.handover.digest] if run.handover is not None else []
    yield "keep", [_keep(run), *kept]
    yield "next", _next(run, running=running)


def _bot(run: Run, *, running: bool, pid: int | None) -> str:
    if running:
        return f"running{f', process {pid}' if pid else ''}"
    return "not running" + (": nobody watches the freeze" if run.frozen else "")


def _gate(run: Run, gate: Gate) -> str:
    offer = _last_offer(run, gate)
    mark = "→" if gate.name == run.gate.name and _is_open(run) else " "
    said = f"{mark} {run.plan.position(gate.name)} {gate.title:<7} {_state(run, gate, offer)}"
    if offer is None or offer.status == "void":
        return said
    by = f", {plain(approved_by(offer))}" if offer.by else ""
    return f"{said}, evidence {offer.digest}{by}"


def _state(run: Run, gate: Gate, offer: Offer | None) -> str:
    if offer is None or (offer.status == "void" and gate.name != run.gate.name):
        return "not yet"
    if offer.status == "passed" and gate.name in run.passed_at:
        return f"passed {run.passed_at[gate.name]:%H:%M:%S}"
    if offer.status == "waiting":
        return f"waiting for `{gate.signal}`"
    return offer.status


def _last_offer(run: Run, gate: Gate) -> Offer | None:
    return next((offer for offer in reversed(list(run.offers.values())) if offer.checkpoint == gate.name), None)


def _checklist(run: Run) -> Iterator[str]:
    yield from (f"`@cutover tick {key}`, which any full member may say" for key in run.open_items)


def _who(run: Run) -> Iterator[str]:
    if not _is_open(run):
        return
    needed = run.entitled.needed(run.gate.name)
    people = "1 approval is needed" if needed == 1 else f"approvals of {needed} people are needed"
    other = "; whoever opened every earlier checkpoint may not" if _wants_another(run) else ""
    yield f"{plain(named(sentences.listed(run.entitled.may), run.names))} may act; {people}{other}"


def _wants_another(run: Run) -> bool:
    return run.entitled.deny_same_person and run.gate.seals


def _said(run: Run) -> Iterator[str]:
    if run.offer is not None and run.offer.approvals and run.offer.is_open and _is_open(run):
        yield plain(sentences.approvals(run.offer.approvals, run.gate.signal))


def _freeze(run: Run, *, running: bool) -> str:
    if run.unthawed:
        return "not known: the last thaw failed; `cutover thaw --check` shows it"
    if run.frozen_at is not None and run.frozen:
        watched = "watched" if running else "not watched now"
        since = f"since {run.frozen_since:{_AT}}, " if run.frozen_since is not None else ""
        return f"{since}proven {run.frozen_at:{_AT}}, {watched}"
    if run.frozen_since is not None and run.frozen:
        return f"seen since {run.frozen_since:{_AT}}, not proven yet"
    if _is_thawed(run):
        return f"taken back {run.thawed_at:{_AT}}"
    if run.frozen_at is not None:
        return f"proven {run.frozen_at:{_AT}}; the watch has ended"
    return "none, as far as this run knows"


def _is_thawed(run: Run) -> bool:
    """Since the freeze was last proven, both by our clock."""
    if run.thawed_at is None:
        return False
    proven = run.passed_at.get(run.plan.freezing.name)
    return proven is None or proven <= run.thawed_at


def _window(run: Run, now: datetime) -> Iterator[str]:
    if not _is_open(run):
        return
    ends = window_ends(run)
    if ends is None:
        minutes = window.minutes(run)
        set_ = "none is set" if minutes is None else f"{duration(minutes * 60)} from the freeze on"
        yield f"{set_}; time needed: {plain(time_needed(run.opened, now))}"
        return
    left = window.seconds_left(run, now) or 0.0
    until = f"until {ends:{_AT}}, {duration(left)} left" if left > 0 else f"over since {ends:{_AT}}"
    needed = window.time_needed(run)
    yield until + (f"; the remaining work needs about {duration(needed)}" if needed is not None else "")


def _exported(run: Run) -> Iterator[str]:
    if (export := run.export) is not None:
        yield f"{counted(export.tables, 'table')}, {counted(export.rows, 'row')}, {size(export.bytes)}"


def _users(run: Run) -> Iterator[str]:
    if (users := run.users) is not None:
        yield (
            f"{number(users.users)}: {number(users.created)} created, {number(users.matched)} matched, "
            f"{number(users.updated)} updated, {number(users.unmapped)} not mapped; "
            f"{number(users.attention_users)} {'needs' if users.attention_users == 1 else 'need'} attention"
        )


def _to_accept(run: Run) -> Iterator[str]:
    if run.users is not None and _is_open(run):
        for reason in run.open_reasons:
            attention = run.users.attention[reason]
            yield f"`@cutover accept {reason}`: {counted(attention.count, 'user')}. {attention.todo}"
    if _is_open(run):
        yield from (f"`@cutover accept {name}`" for name in run.acceptable if name not in run.open_reasons)


def _to_decide(run: Run) -> Iterator[str]:
    if run.users is not None and _is_open(run) and (open_ := run.users.to_decide):
        yield f"{listed(open_, _MOST_DECISIONS)}: `@cutover decide ID match STACK_ID`, `create` or `skip`"


def _keep(run: Run) -> str:
    if run.purged_at is not None:
        return f"purged on {run.purged_at:%Y-%m-%d}; {files.PURGE} says what was removed"
    why = "by the mapping" if run.users is not None and not run.users.dry_run else "by the run's opening"
    return f"files with rows until {kept_until(run):%Y-%m-%d}, {why}"


def _next(run: Run, *, running: bool) -> Iterator[str]:
    if not running and _is_open(run):
        yield "Start `cutover run`: it continues from there."
    elif not running and run.frozen:
        yield "Start `cutover run`: it watches the freeze again."
    if run.open_items and _is_open(run):
        yield "Tick each item above in the channel first."
    if run.open_reasons and _is_open(run):
        yield "Accept each reason above in the channel first."
    yield _capital(named(next_step(run, bot="the bot"), run.names))
    if run.frozen or run.unthawed:
        yield "To unfreeze Supabase: `cutover thaw`, or the SQL that `cutover freeze-sql --thaw` prints."


def _is_open(run: Run) -> bool:
    return run.phase not in {Phase.ABORTED, Phase.DONE}


def _capital(text: Text) -> str:
    said = plain(text)
    return f"{said[:1].upper()}{said[1:]}"

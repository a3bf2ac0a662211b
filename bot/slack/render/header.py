"""The header of a run, the one post that is edited all night: what the run is doing, what comes next, and the way back.
Pure.
"""

from __future__ import annotations

from bot.plan import display
from bot.plan.gate import Gate
from bot.plan.run import Phase, Run
from bot.plan.text import Text, say, stacked
from bot.plan.texts import window
from bot.plan.texts.approvals import approved_by
from bot.plan.texts.foreign import seen, sentence
from bot.plan.texts.next_step import next_step
from bot.plan.texts.state import doing
from bot.ports import Headway
from bot.progress import in_words
from bot.slack.render.blocks import Layout


def header(run: Run, headway: Headway | None, anchor: Text) -> Layout:
    paragraphs = [
        parties(run),
        say("*Status:* {status}", status=display.header_status(run)),
        stacked(*(_checkpoint_line(run, gate) for gate in run.plan.gates)),
        say("*Now:* {doing}", doing=doing(run)),
        _progress(headway),
        say("*Window:* {span}", span=span) if (span := window.span(run)) else Text(),
        say("*Next:* {next}", next=next_step(run)),
        say("*The way back:* {way_back}", way_back=way_back(run)),
    ]
    return Layout(title=f"Cutover {run.run_id}", paragraphs=paragraphs, footer=anchor)


def parties(run: Run) -> Text:
    parties = run.opened.parties
    return say(
        "*Source:* Supabase `{source}`, database `{database}`\n*Target:* Stack Auth project `{target}`",
        source=seen(parties.source_ref),
        database=seen(parties.source_database),
        target=seen(parties.target_project),
    )


def _progress(headway: Headway | None) -> Text:
    if headway is None:
        return Text()
    return say("*Progress:* `{step}`: {far}", step=headway.progress.step, far=sentence(in_words(headway)))


def _checkpoint_line(run: Run, gate: Gate) -> Text:
    place = run.plan.position(gate.name)
    offers = [offer for offer in run.offers.values() if offer.checkpoint == gate.name]
    if not offers or gate in run.plan.behind(run.gate.name):
        return say("◻️ {place}. {gate}: not yet", place=place, gate=gate.title)
    status = offers[-1].status
    return say(
        "{mark} {place}. {gate}: {status}{waits}{who}",
        mark={"passed": "✅", "refused": "❌", "void": "✖️"}.get(status, "▶️"),
        place=place,
        gate=gate.title,
        status=status,
        waits=say(" for `{word}`", word=gate.signal) if status == "waiting" else "",
        who=say(", {by}", by=approved_by(offers[-1])) if offers[-1].by else "",
    )


def way_back(run: Run) -> Text:
    if run.phase is Phase.ABORTED:
        return say("taken: Supabase is thawed.")
    by_hand = say("`cutover thaw` unfreezes Supabase by the bundle; `cutover freeze-sql --thaw` prints SQL.")
    if run.phase is Phase.DONE:
        return say("Supabase still has everything. {by_hand}", by_hand=by_hand)
    return say(
        "say `abort` to me: I stop at a safe point, unfreeze Supabase and verify that writes work. Without me: "
        "{by_hand}",
        by_hand=by_hand,
    )

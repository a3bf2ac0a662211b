"""What opens a gate: the signals, each about the evidence on offer; and the words before the first of them."""

from __future__ import annotations

from bot.plan import events as e
from bot.plan import signals
from bot.plan.commands.utterance import Reply, Said
from bot.plan.evidence import put_forward
from bot.plan.fold import after
from bot.plan.inputs import Refusal
from bot.plan.run import Run
from bot.plan.texts import accepting, checklists, sentences


def give_signal(run: Run, said: Said) -> Reply | Refusal:
    assert isinstance(said.meaning, signals.Signal)
    gate = run.gate
    if said.meaning.checkpoint != gate.name:
        return Refusal(
            sentence=sentences.other_gate(
                run.plan.gate(said.meaning.checkpoint), gate, passed=run.is_passed(said.meaning.checkpoint)
            )
        )
    if run.open_items:
        return Refusal(sentence=checklists.checklist_open(gate, run.open_items))
    if run.offer is None or not said.is_about_the_offer(run):
        return Refusal(sentence=sentences.older_than_offer(gate))
    if gate.counts_users and run.decided_since:
        return Refusal(sentence=accepting.decisions_wait(len(run.decided_since)))
    if gate.counts_users and run.open_reasons:
        return Refusal(sentence=sentences.attention_open(run.open_reasons))
    if said.user in run.offer.by:
        return Refusal(sentence=sentences.said_already(gate, run.offer.missing))
    if run.may_not_hand_over(said.user):
        return Refusal(sentence=sentences.same_person(gate, run.entitled.may))
    approval = e.SignalAccepted(
        at=said.now, checkpoint=gate.name, digest=run.offer.digest, user=said.user, ts=said.message.ts
    )
    if missing := run.offer.approved(approval).missing:
        return sentences.waits_for_more(said.user, gate, run.offer.digest, missing), [approval]
    return sentences.signal_taken(said.user, gate, run.offer.digest), [approval]


def start(run: Run, said: Said) -> Reply | Refusal:
    """The first gate on offer, for a run that has waited for the word."""
    if run.started:
        return Refusal(sentence=sentences.started_already(run.run_id))
    started = e.StartAsked(at=said.now, user=said.user, ts=said.message.ts)
    first = run.plan.first
    return sentences.started(first), [started, put_forward(after(run, started), first, said.now)]


def freeze(run: Run, said: Said) -> Reply | Refusal:
    """Let the bot run the freeze kit; whether it holds is proven at the gate."""
    if run.opened.rules.freeze_mode != "bot":
        return Refusal(sentence=sentences.people_freeze())
    if not run.gate.freezes:
        early = run.is_before_the_freeze
        return Refusal(sentence=sentences.not_yet(run.gate) if early else sentences.frozen_already())
    if run.open_items:
        return Refusal(sentence=checklists.checklist_open(run.gate, run.open_items))
    if not said.is_about_the_offer(run):
        return Refusal(sentence=sentences.older_than_offer(run.gate))
    return sentences.freezing(said.user, run.gate.signal), [
        e.FreezeAsked(at=said.now, user=said.user, ts=said.message.ts)
    ]

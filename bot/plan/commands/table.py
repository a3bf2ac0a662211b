"""The table of words by phase, and the judging of one word by it.

`judge` answers whoever spoke, exactly once: with what follows, or with one sentence that says why nothing did. A word
that is absent from the table, or not legal in the phase, is refused; so is a person whom Slack does not vouch for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from bot.plan import events as e
from bot.plan import posts, signals
from bot.plan.commands import accept, checklist, control, info, opening
from bot.plan.commands.utterance import Reply, Said
from bot.plan.inputs import Permission, Refusal
from bot.plan.offer import Offer
from bot.plan.run import Phase, Run
from bot.plan.text import Text
from bot.plan.texts import run_control, sentences
from bot.plan.texts.state import why_held


def judge(
    run: Run, message: e.MessageHeard, permission: Permission, *, progress: str, now: datetime
) -> Reply | Refusal:
    may = run.entitled.may
    meaning = signals.read(message.text, run.plan, addressed=message.addressed)
    if meaning is None or isinstance(meaning, signals.NearMiss):
        if not run.started:
            return Refusal(sentence=sentences.not_started(may))
        gate = run.plan.gate(meaning.checkpoint) if meaning else run.gate
        return Refusal(sentence=sentences.near_miss(gate, may))
    if isinstance(meaning, signals.Word) and meaning.name not in (known := signals.words_of(run.plan)):
        return Refusal(sentence=sentences.unknown_word(meaning.name, known))
    word = run.plan.gate(meaning.checkpoint).signal if isinstance(meaning, signals.Signal) else meaning.name
    anyone = word in _FOR_ANY_MEMBER
    if not permission.known:
        return Refusal(sentence=sentences.cannot_tell_who(word))
    if not (permission.member if anyone else permission.approver):
        return Refusal(sentence=sentences.not_entitled(word, permission.why, may))
    said = Said(message=message, meaning=meaning, now=now, progress=progress)
    name = "signal" if isinstance(meaning, signals.Signal) else meaning.name
    phases, act = _WORDS[name]
    if run.phase not in phases:
        return Refusal(sentence=_why_not(run, said))
    if not run.started and name in _ABOUT_THE_GATE | {"retry"} and run.phase is Phase.WAITING:
        return Refusal(sentence=sentences.not_started(may))
    if name in _ABOUT_THE_GATE and (void := _void_above(run, message.thread_ts)) is not None:
        return Refusal(sentence=sentences.said_below_void(run.plan.gate(void.checkpoint), word))
    return act(run, said)


def _void_above(run: Run, thread_ts: str | None) -> Offer | None:
    """The offer in whose thread this is said, if it takes no word any more."""
    above = run.deliveries.get(run.thread_of(thread_ts) or "")
    if above is None or not isinstance(
        above.post.body, posts.Gate
    ):  # a list that is gone is older than the one at hand
        return None
    offer = run.offers[above.post.body.checkpoint, above.post.body.offer]
    return offer if offer.status == "void" else None


def kind_of(meaning: signals.Signal | signals.NearMiss | signals.Word) -> e.MessageKind:
    """What may come of it, and therefore what must be known of its author before it is answered."""
    if isinstance(meaning, signals.NearMiss) or (isinstance(meaning, signals.Word) and meaning.name not in _WORDS):
        return "miss"
    return "tell" if isinstance(meaning, signals.Word) and meaning.name in _ONLY_TELLS else "act"


def _why_not(run: Run, said: Said) -> Text:
    """The sentence for a word that is not legal in this phase."""
    match run.phase:
        case Phase.VERIFYING:
            return sentences.being_checked(run.gate)
        case Phase.RUNNING:
            assert run.step is not None
            return sentences.step_runs(run.step.name)
        case Phase.FREEZING:
            return sentences.FREEZING
        case Phase.HELD:
            assert run.hold is not None
            why = why_held(run.hold)
            return run_control.thaw_held(why) if "confirmed" in {run.abort, run.thaw} else run_control.held(why)
        case Phase.WAITING:  # for `start`, or for nothing that this word does
            return sentences.not_started(run.entitled.may) if not run.started else sentences.not_yet(run.gate)
        case _:
            over = {
                Phase.ABORTING: "being aborted",
                Phase.ABORTED: "aborted",
                Phase.THAWING: "held while Supabase is thawed",
            }
            return run_control.over(over.get(run.phase, "handed over"))


_ALWAYS = frozenset(Phase)
_OPEN = frozenset({Phase.WAITING, Phase.VERIFYING, Phase.RUNNING, Phase.FREEZING, Phase.HELD})
_ONLY_TELLS = frozenset({"status", "who", "help", "report"})
_FOR_ANY_MEMBER = _ONLY_TELLS | {"hold", "tick", "untick"}
_ABOUT_THE_GATE = frozenset({"signal", "freeze", "accept", "decide", "tick", "untick"})
"""Nothing comes of them below a gate that is gone: what is there is not what they would be about."""

_WORDS: Mapping[str, tuple[frozenset[Phase], Callable[[Run, Said], Reply | Refusal]]] = {
    "signal": (frozenset({Phase.WAITING}), opening.give_signal),
    "start": (frozenset({Phase.WAITING}), opening.start),
    "freeze": (frozenset({Phase.WAITING}), opening.freeze),
    "accept": (_OPEN, accept.accept),
    "decide": (frozenset({Phase.WAITING, Phase.HELD}), accept.decide),
    "tick": (frozenset({Phase.WAITING}), checklist.tick),
    "untick": (frozenset({Phase.WAITING, Phase.VERIFYING}), checklist.untick),
    "hold": (_OPEN - {Phase.HELD, Phase.FREEZING}, control.hold),
    "retry": (frozenset({Phase.WAITING, Phase.HELD}), control.retry),
    "thaw": (_OPEN | {Phase.DONE}, control.thaw),
    "abort": (_OPEN, control.abort),
    "window": (_OPEN, control.lengthen_window),
    "release": (_OPEN | {Phase.DONE}, control.release),
    "status": (_ALWAYS, info.status),
    "who": (_ALWAYS, info.who),
    "help": (_ALWAYS, info.help_),
    "report": (_ALWAYS, info.report),
}

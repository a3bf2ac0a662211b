"""What a message means: a signal, a word to the bot, a near miss, or nothing.

A signal is the whole message and nothing but the word: a gate must not open because somebody wrote *about* it. What
people add without meaning anything by it is taken off first: code, bold, italic and quotation marks, outer white space
and final full stops or exclamation marks. A question mark stays, since it asks. Words to the bot must be addressed to
it; how somebody does that is the business of the channel's edge, which takes a mention of the bot out of the text.

A near miss is short and looks like a signal without being one ("froze", "not frozen yet"): it is answered
with the exact word, and nothing happens.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from dataclasses import dataclass

from bot.plan.plan import Plan

WORDS = (
    "status",
    "who",
    "help",
    "report",
    "hold",
    "start",
    "freeze",
    "accept",
    "decide",
    "retry",
    "thaw",
    "abort",
    "window",
    "release",
)
CHECKLIST_WORDS = ("tick", "untick")
"""Words only where the plan has a checklist."""
_MARKS = "`*_\"'“”„‘’«»"
_END = ".!…"
_JOIN = re.compile(r"[\s_\-\u2010-\u2015\u2212]+")
_NEAR_MISS_WORDS = 8
_NEAR_ENOUGH = 0.75


@dataclass(frozen=True)
class Signal:
    checkpoint: str


@dataclass(frozen=True)
class NearMiss:
    checkpoint: str


@dataclass(frozen=True)
class Word:
    """A word to the bot; `name` may be none of `words_of`. `argument` is what follows, its white space folded, case
    kept.
    """

    name: str
    argument: str


Meaning = Signal | NearMiss | Word | None


def words_of(plan: Plan) -> tuple[str, ...]:
    """The words that mean something in a run of this plan, but for its signals."""
    return (*WORDS, *CHECKLIST_WORDS) if plan.has_checklists else WORDS


def _bare(text: str) -> str:
    text = text.lstrip(" \t:,")
    before = None
    while before != text:
        before = text
        text = text.strip().strip(_MARKS).strip().rstrip(_END)
    return text


def _joined(text: str) -> str:
    return _JOIN.sub("-", text.casefold())


def _signal(bare: str, plan: Plan) -> str | None:
    """The name of the gate whose signal this is."""
    exact, joined = bare.casefold(), _joined(bare)
    for gate in plan.gates:
        if exact == gate.signal or (gate.any_dash and joined == _joined(gate.signal)):
            return gate.name
    return None


def _near(text: str, plan: Plan) -> str | None:
    words = re.findall(r"[^\W_]+", text.casefold())
    if not words or len(words) > _NEAR_MISS_WORDS:
        return None
    runs = {"-".join(words[i:j]) for i in range(len(words)) for j in range(i + 1, min(i + 2, len(words)) + 1)}
    close = {signal: _likeness(runs, signal) for signal in plan.signals}
    best = max(close, key=lambda signal: close[signal])
    return plan.signals[best].name if close[best] >= _NEAR_ENOUGH else None


def _likeness(runs: Collection[str], signal: str) -> float:
    """Of the one that is most like it."""
    matcher = difflib.SequenceMatcher(b=signal, autojunk=False)
    best = 0.0
    for run in runs:
        matcher.set_seq1(run)
        if matcher.quick_ratio() > best:  # no ratio is above it
            best = max(best, matcher.ratio())
    return best


def may_signal(text: str, plan: Plan) -> bool:
    """True when it is a signal whoever it is said to."""
    return _signal(_bare(text), plan) is not None


def second_yes(text: str, plan: Plan) -> str:
    """The word that it says yes to when it is said to the bot, `abort` or `thaw`; "" when it says no such thing."""
    meaning = read(text, plan, addressed=True)
    if isinstance(meaning, Word) and meaning.argument.casefold() == "yes" and meaning.name in {"abort", "thaw"}:
        return meaning.name
    return ""


def read(text: str, plan: Plan, *, addressed: bool) -> Meaning:
    """The meaning of what a person said; `addressed` says that it was said to the bot."""
    bare = _bare(text)
    if (checkpoint := _signal(bare, plan)) is not None:
        return Signal(checkpoint)
    if addressed:
        name, argument = (*bare.split(None, 1), "", "")[:2]
        if name.casefold() in words_of(plan) or not (near := _near(bare, plan)):
            return Word(name.casefold(), " ".join(argument.split()))
        return NearMiss(near)
    near = _near(bare, plan)
    return NearMiss(near) if near else None

"""What only tells: where the run is, who may act, which words there are, what has happened. Any full member may
ask.
"""

from __future__ import annotations

from bot.plan.commands.utterance import Reply, Said
from bot.plan.inputs import Refusal
from bot.plan.run import Run
from bot.plan.signals import words_of
from bot.plan.texts import sentences, state
from bot.plan.texts.account import account


def status(run: Run, said: Said) -> Reply | Refusal:
    return state.status(run, said.progress, said.now), []


def who(run: Run, said: Said) -> Reply | Refusal:
    if not run.started:
        return sentences.who_starts(run.entitled.may), []
    return (
        sentences.who(
            run.gate,
            run.entitled.may,
            run.entitled.needed(run.gate.name),
            run.offer,
            deny_same_person=run.entitled.deny_same_person,
        ),
        [],
    )


def help_(run: Run, said: Said) -> Reply | Refusal:
    return sentences.words(words_of(run.plan), run.entitled.may), []


def report(run: Run, said: Said) -> Reply | Refusal:
    return account(run), []

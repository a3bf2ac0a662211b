"""What is to happen next, and who does it: for the header in the channel and for `status` at the terminal. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.plan.run import Phase, Run
from bot.plan.text import Text, called, joined, say
from bot.plan.texts.listing import and_more
from bot.plan.texts.sentences import names

_MOST_PEOPLE = 20


def next_step(run: Run, bot: str = "me") -> Text:  # one branch a phase
    """A sentence that can be set behind a colon. `bot` is how the bot is called where it is read."""
    gate = run.gate
    match run.phase:
        case Phase.WAITING if not run.started:
            return say(
                "{may} may say `start` to {bot}; then the first checkpoint is posted.",
                may=people(run.entitled.may),
                bot=bot,
            )
        case Phase.WAITING:
            return say(
                "{may} may say `{word}` once {claim}. It {starts}.",
                may=people(run.entitled.may),
                word=gate.signal,
                claim=gate.claim,
                starts=gate.starts,
            )
        case Phase.VERIFYING:
            return say(
                "if every check passes, the {gate} checkpoint opens; results are in its thread.", gate=gate.title
            )
        case Phase.RUNNING:
            following = run.plan.following(gate.name)
            return say("the {gate} checkpoint.", gate=following.title) if following else say("the closing summary.")
        case Phase.HELD:
            return say("{may} may say `retry` or `abort` to {bot}.", may=people(run.entitled.may), bot=bot)
        case Phase.FREEZING:
            return say(
                "results appear in the thread of the {gate} checkpoint; then somebody says `{word}`.",
                gate=run.plan.freezing.title,
                word=gate.signal,
            )
        case Phase.THAWING if run.is_closed or not run.started:
            return say("writes work again.")
        case Phase.THAWING:
            return say("writes work again, and the {gate} checkpoint is posted again.", gate=run.plan.freezing.title)
        case Phase.ABORTING:
            return say("Supabase is thawed, and writes are verified.")
        case Phase.ABORTED:
            return say("`cutover run --new` opens the next run.")
        case Phase.DONE if run.is_dry_run_over:
            return say("`cutover thaw` unfreezes Supabase; `cutover run --new` opens the next run.")
        case Phase.DONE:
            return say("the import reads the bundle.")


def people(users: Sequence[str]) -> Text:
    """Who is called, and how many more may as well."""
    if len(users) <= _MOST_PEOPLE:
        return names(users)
    return joined(and_more([joined([called(user)]) for user in users[:_MOST_PEOPLE]], len(users)), by=", ")

"""What approvers are called, before they have said anything."""

from bot.plan import events as e
from bot.plan.decide import decide, open_run
from bot.plan.fold import after, fold
from bot.plan.inputs import Open, Refusal, TakeUp
from bot.plan.run import Run
from bot.plan.text import named, plain
from bot.plan.texts import sentences
from tests.plan.histories import ANN, BEN, RUN_ID, START, night_at


def _opened(**names: str) -> Run:
    parties = e.Parties(source_ref="abcdef", source_database="postgres", target_project="p-1")
    command = Open(
        run_id=RUN_ID,
        parties=parties,
        channel="C0CUTOVER",
        approvers=(ANN, BEN),
        retain_days=90,
        accepted_ahead=(),
        names=names,
    )
    return after(None, *open_run(command, START))


def _may(run: Run) -> str:
    return plain(named(sentences.listed(run.entitled.may), run.names))


def test_approvers_have_their_names_from_the_opening_on() -> None:
    """Those whom Slack told of, made fit to be shown; the others are shown by id."""
    assert _may(_opened(**{ANN: "Ann\u202e (U0EVE)", BEN: " "})) == "Ann [U0EVE] (U0ANN), @U0BEN"
    assert _may(_opened()) == f"@{ANN}, @{BEN}"


def test_names_that_were_not_known_come_with_a_start() -> None:
    """They are kept in the journal, and those that are known stay."""
    night = night_at("export waits")
    taken_up = decide(night.run, TakeUp(names={BEN: "Ben"}), night.now)
    assert not isinstance(taken_up, Refusal)
    run = fold(e.from_record(e.to_record(event)) for event in [*night.events, *taken_up])
    assert run is not None
    assert run.names == {**night.run.names, BEN: "Ben"}


def test_whoever_speaks_is_called_as_they_are_then() -> None:
    """A name that was changed since the opening is the one that counts."""
    run = _opened(**{ANN: "Ann"})
    run = after(run, e.HoldAsked(at=START, why="lunch", user=ANN, ts="1", name="Ann Lee"))
    assert run.names == {ANN: "Ann Lee"}

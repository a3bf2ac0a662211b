"""Thirty whole nights over pairs of all settings, each judged from outside by what its settings promise.

PAIRS_SEED chooses other nights; the seed and what a night is set to are printed with it.
"""

import functools
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from pydantic import BaseModel

from bot.rehearsal.night import PEOPLE, Night
from bot.rehearsal.postgres_binaries import open_directory
from bot.rehearsal.standins.slack import Person
from bot.settings import Settings
from tests import preloaded
from tests.house import locales
from tests.night import choices
from tests.night.acting import Cast
from tests.night.judging import ALWAYS_JUDGED, JUDGED_AT_THE_HANDOVER, Judge
from tests.night.pairs import Row, covering, met, to_meet
from tests.night.playing import fast_night, free_port, heard_over_http, settings_of

SEED = int(os.environ.get("PAIRS_SEED", "19"))
NIGHTS = 30
_BY_DEFAULT = 2
"""The first rows of a covering array differ most: these two have four fifths of all values between them."""
_AS_A_FORK_FINDS_IT = {"C", "C.UTF-8"}
"""Locales in which Python writes UTF-8, as the process that commands are forked from does."""


class _BotStartedAnew(Night):
    """Its bot is started as `row` says. Commands beside it are forked with the same user and umask, but for a locale
    that only a start brings with it.
    """

    row: Row

    async def spawn(self, *arguments: str, stdout: int | IO[bytes], stderr: int | IO[bytes]) -> Any:
        forks = self.python == sys.executable and self.row["locale"] in _AS_A_FORK_FINDS_IT
        if arguments[0] == "run" or not forks:
            return await super().spawn(*arguments, stdout=stdout, stderr=stderr)
        return await preloaded.start(
            *arguments,
            cwd=self.directory,
            env=self.environment,
            stdout=stdout,
            stderr=stderr,
            umask=self.process["umask"],
            user=self.process.get("user", -1),
        )


@functools.cache
def _nights() -> list[Row]:
    lacking = choices.not_here()
    here = {
        factor: [value for value in values if (factor, value) not in lacking]
        for factor, values in choices.FACTORS.items()
    }
    return covering(here, choices.IMPOSSIBLE, seed=SEED, at_least=NIGHTS)


@pytest.mark.parametrize("seed", [SEED, *(pytest.param(seed, marks=pytest.mark.all) for seed in (1, 2))])
def test_thirty_nights_hold_every_pair_of_values_that_can_meet(seed: int) -> None:
    """Whatever the seed; the pairs that cannot are listed with their reasons, and no night has one."""
    nights = covering(choices.FACTORS, choices.IMPOSSIBLE, seed=seed, at_least=NIGHTS)
    pairs = set().union(*map(met, nights))
    assert len(nights) == NIGHTS
    assert to_meet(choices.FACTORS, ()) - pairs == set(choices.IMPOSSIBLE)
    assert all(choices.IMPOSSIBLE.values())


def test_every_setting_is_varied_or_said_to_be_fixed() -> None:
    """A new setting does not pass these nights by unnoticed."""
    told = list(_names(Settings))
    varied = [name for names in choices.MOVES.values() for name in names]
    assert sorted(told) == sorted([*varied, *choices.FIXED])
    assert choices.MOVES.keys() <= choices.FACTORS.keys()


def _names(model: type[BaseModel], path: str = "") -> Iterator[str]:
    for key, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _names(kind, f"{path}{key}.")
        else:
            yield f"{path}{key}"


def test_every_value_can_be_played_here() -> None:
    """What this machine cannot play is skipped by name, and the nights are made of the rest."""
    if lacking := choices.not_here():
        pytest.skip("; ".join(f"{factor} {value}: {why}" for (factor, value), why in lacking.items()))


@pytest.fixture
def room() -> Iterator[Path]:
    """A directory that another user may enter, unlike pytest's own, and in which he may read what a test puts there,
    whatever umask the tests run under.
    """
    made = Path(tempfile.mkdtemp(prefix="cutover-pairs-", dir=open_directory()))
    made.chmod(0o755)
    before = os.umask(0o022)
    yield made
    os.umask(before)
    shutil.rmtree(made)


@pytest.mark.parametrize(
    "n", [pytest.param(n, marks=() if n <= _BY_DEFAULT else pytest.mark.all) for n in range(1, NIGHTS + 1)]
)
async def test_a_night_goes_as_its_settings_promise(n: int, room: Path) -> None:
    """Played to its end by the people whom the settings name, and judged by files, channel, source and target."""
    row = _nights()[n - 1]
    print(f"night {n} of seed {SEED}: {', '.join(f'{factor} {value}' for factor, value in row.items())}")
    port = free_port()
    async with fast_night(_data_directory(row, room), _BotStartedAnew, **choices.size(row)) as night:
        night.row, night.process, night.python = row, choices.process(row), _python(row) or night.python
        there, before = choices.prepare(row, night), settings_of(night)
        _gather(row, night)
        told, arguments = choices.settings(row, night, room, port)
        night.settings |= {**told, **choices.environment(row), **_locale(row, room)}
        once = ("--once",) if row["ends"] == "once" else ()
        await night.start_bot(*once, *(arguments or ("--config", str(_empty(room)))))
        if row["transport"] == "http":
            await heard_over_http(night, port, choices.SIGNING_SECRET)
        acted = await Cast(night, row).play()
        for other in _others(row):
            print(f"judged as if it were set to {dict(other.items() - row.items())}")
            with pytest.raises(AssertionError, match="and the settings promise"):
                Judge(night, other, acted, there=there, before=before).judge_what_is_there()
        await Judge(night, row, acted, there=there, before=before).judge()


def _others(row: Row) -> Iterator[Row]:
    """Other settings than the night was played with, which the judge must not take for its own."""
    judged = ALWAYS_JUDGED if row["users"] == "dry-run" else (*ALWAYS_JUDGED, *JUDGED_AT_THE_HANDOVER)
    for factor in judged:
        for value in choices.FACTORS[factor]:
            quiet = {factor, value} <= {"reminders", "0", "15"} and row["reminders"] != "0.05"
            unplayed = (factor, row["source"]) == ("users", "empty") and value != "dry-run"
            untried = factor == "canary" and row["users"] != "create"
            if value != row[factor] and not (quiet or unplayed or untried):
                yield {**row, factor: value}


def _data_directory(row: Row, room: Path) -> Path:
    directory = room / ("night" if row["names"] == "plain" else "Umzug 'für' \"Größe\" $HOME – 移行")
    directory.mkdir(mode=0o700)
    if row["user"] == "another":
        os.chown(directory, choices.ANOTHER, choices.ANOTHER)
    return directory


def _python(row: Row) -> str:
    return choices.interpreter_for_another() if row["user"] == "another" else ""


def _empty(room: Path) -> Path:
    config = room / "empty.toml"
    config.touch()
    return config


def _gather(row: Row, night: Night) -> None:
    """The approvers, by their ids or in a group; beside them somebody who is none."""
    listed = choices.approvers(row)
    for id_ in listed:
        night.slack.people[id_] = Person(id_, id_.title() if row["names"] == "plain" else f"\u202e<!channel> {id_} & Ä")
    night.slack.groups[choices.GROUP] = listed if row["approvers"] == "group" else listed[1::2] or listed
    assert PEOPLE["linus"].id not in listed


def _locale(row: Row, room: Path) -> dict[str, str]:
    if row["locale"] in {"C", "C.UTF-8"}:
        return {"LC_ALL": row["locale"]}
    return locales.environment_of(row["locale"], room)

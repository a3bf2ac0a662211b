"""A process that dies while it writes a decision of several events, at any byte of them: the next one finds all of them
or none, takes the run up, and the night ends as it would have ended undisturbed.

The scenes below bring about every decision of several events that the histories of `tests.plan` hold, and more. They
are played with the real journal on a real disk; what dies is a process, what is cut is its file.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.journal import read_chain
from bot.plan import display
from bot.plan import events as e
from bot.plan.findings import MOVED, Finding, failed, warned
from bot.plan.fold import fold
from bot.plan.run import Phase, Run
from bot.plan.timetable import SWEEP_EVERY, Timer
from bot.ports import Record, ThawRecord
from bot.record import EventRecord
from tests.conducting.worlds import Died, World, turning
from tests.plan.histories import ANN, BEN, BOT, EVE, NED, PLACES, Night, night_at, night_of_detours

_SWEEP = Timer(name="sweep", chore="sweep", every=SWEEP_EVERY)
_Shape = tuple[str, ...]
_Word = tuple[Callable[[Run], bool], str, str]
"""When it is said, what, and by whom; once."""


def _shape(decision: Sequence[e.Event]) -> _Shape:
    """The kinds of its events, each run of one kind once."""
    kinds = [event.type for event in decision]
    return tuple(kind for n, kind in enumerate(kinds) if n == 0 or kinds[n - 1] != kind)


@dataclass(frozen=True)
class Cut:
    """The `nth` decision of several events, counted from 1, is torn at this share of its bytes."""

    nth: int
    share: float


class DiskWorld(World):
    """A world whose journal is a file; a process may die while it writes there."""

    def __init__(
        self, directory: Path, place: str | Night, words: Sequence[_Word] = (), cut: Cut | None = None
    ) -> None:
        super().__init__(place)
        self._directory = directory
        self._words = words
        self._cut = cut
        self.decisions: list[tuple[list[e.Event], int, int]] = []
        """Those of several events, with the bytes of the file where they begin and end."""
        with contextlib.closing(EventRecord.open(directory)) as record:
            record.append(self.disk)

    @property
    def file(self) -> Path:
        return self._directory / "journal.jsonl"

    def opened(self) -> tuple[Record, Run]:
        record = EventRecord.open(self._directory)
        run = record.run()
        assert run is not None
        assert fold(self.disk) == run, "all of a decision or none of it"
        self._record = record
        return _Cutting(self, record), run

    def keep(self, events: Sequence[e.Event]) -> None:
        assert len(events) == 1, "nothing is left to be made up for"
        self._record.append(events)
        self.disk.extend(events)

    def write(self, record: EventRecord, events: Sequence[e.Event]) -> None:
        begins = self.file.stat().st_size
        record.append(events)
        ends = self.file.stat().st_size
        if len(events) > 1:
            self.decisions.append((list(events), begins, ends))
            if self._cut is not None and self._cut.nth == len(self.decisions):
                record.close()
                with self.file.open("r+b") as file:
                    file.truncate(begins + max(1, min(ends - begins - 1, round((ends - begins) * self._cut.share))))
                self._died = True
                raise Died
        self.disk.extend(events)

    def next_word(self, run: Run) -> tuple[str, str] | None:
        if not all(delivery.ts for delivery in run.deliveries.values()):
            return None  # people read before they speak
        said = {message.text for message in run.heard.values()}
        for when, text, user in self._words:
            if text.removeprefix(f"<@{BOT}> ") not in said and when(run):
                return text, user
        return super().next_word(run)

    async def play(self) -> tuple[int, Run]:
        for _ in range(3):
            conductor = self.with_people(self.conductor())
            watch = self.watch(conductor)
            conducting = asyncio.create_task(conductor.conduct())
            try:
                async with asyncio.timeout(900):
                    while not conducting.done():
                        await watch.fire(_SWEEP)
                        await asyncio.wait({conducting}, timeout=SWEEP_EVERY.total_seconds())
                    return conducting.result(), conductor.run
            except Died:
                self._died = False
            finally:
                self._record.close()
        raise AssertionError("it dies again and again")


@dataclass(frozen=True)
class _Cutting:
    world: DiskWorld
    record: EventRecord

    def append(self, events: Sequence[e.Event]) -> None:
        if self.world._died:
            raise Died
        self.world.write(self.record, events)

    @property
    def head(self) -> tuple[int, str]:
        return self.record.head


# -- the scenes -------------------------------------------------------------------------------------------------------


def _to(text: str) -> str:
    return f"<@{BOT}> {text}"


def _waits(gate: str) -> Callable[[Run], bool]:
    def waits(run: Run) -> bool:
        return run.gate.name == gate and run.phase is Phase.WAITING and bool(run.deliveries[run.gate_key].ts)

    return waits


def _refused(run: Run) -> bool:
    return run.offer is not None and run.offer.status == "refused"


def _no_notice(world: World) -> None:
    world.findings["notice"] = lambda: failed("notice", "No notice.", "Switch it on.", waivable=True)


def _moves(world: World) -> None:
    """The source moves under the first check of the export gate, and is frozen anew after it."""

    def found() -> Finding:
        if any(event.type == "drift-seen" for event in world.disk):
            return warned("freeze-holds", "The freeze holds.", "")
        return failed("freeze-holds", "It moved.", "Freeze again.", **{MOVED: ["public.orders took 2 writes"]})

    world.findings["freeze-holds"] = found


def _thawed_beside(world: World) -> None:
    world.thaw_record = ThawRecord(thawed_at=world.now + timedelta(seconds=1), findings=())


@dataclass(frozen=True)
class Scene:
    place: str | Callable[[], Night] = "opened"
    words: Sequence[_Word] = ()
    prepare: Callable[[World], None] = field(default=lambda world: None)
    code: int = 0

    def world(self, directory: Path, cut: Cut | None = None) -> DiskWorld:
        directory.mkdir()
        place = self.place if isinstance(self.place, str) else self.place()
        world = DiskWorld(directory, place, self.words, cut)
        self.prepare(world)
        return world


_AT_EXPORT, _AT_USERS = _waits("export"), _waits("users")
_SCENES: Mapping[str, Scene] = {
    "a clean night": Scene(),
    "reasons accepted ahead": Scene(lambda: Night(accepted_ahead=("sso",))),
    "begun by a word, frozen by the bot": Scene(
        lambda: Night(rules=e.Rules(start_on_word=True, freeze_mode="bot")),
        [(lambda run: not run.started, _to("start"), ANN), (_waits("freeze"), _to("freeze"), ANN)],
    ),
    "held and gone on with": Scene("export waits", [(_AT_EXPORT, _to("hold the office is closed"), EVE)]),
    "a check waived by two": Scene(
        "freeze waits",
        [(_refused, _to("accept notice: it is up"), ANN), (_refused, _to("accept notice: I see it"), BEN)],
        _no_notice,
    ),
    "somebody decided on": Scene(
        "users waits", [(_AT_USERS, _to(f"decide {NED} skip"), ANN), (_AT_USERS, _to("retry"), ANN)]
    ),
    "thawed by a word": Scene("export waits", [(_AT_EXPORT, _to("thaw"), ANN), (_AT_EXPORT, _to("thaw yes"), BEN)]),
    "thawed beside the bot": Scene("export waits", prepare=_thawed_beside),
    "the source moves under a check": Scene("export waits", prepare=_moves),
    "drifted": Scene("drifted"),
    "a step that was held": Scene("held"),
    "aborted by a word": Scene(
        "export waits", [(_AT_EXPORT, _to("abort"), ANN), (_AT_EXPORT, _to("abort yes"), BEN)], code=3
    ),
    "an abort whose thaw failed": Scene("thaw failed", code=3),
}

_TELLS = {
    *("checkpoint-offered", "checkpoint-voided", "checkpoint-passed", "step-ended", "step-reopened", "drift-seen"),
    *("hold-asked", "retry-asked", "reason-accepted", "check-waived", "user-decided", "start-asked", "freeze-asked"),
    *("freeze-applied", "thaw-asked", "thaw-confirmed", "thawed", "unfrozen", "abort-asked", "abort-confirmed"),
    *("run-aborted", "signal-accepted"),
}
"""What a night comes to; how often the bot was started, and what it asked anew therefore, is another matter."""


def _end(world: World, code: int, run: Run) -> tuple[Any, ...]:
    happened = [(event.type, getattr(event, "checkpoint", "")) for event in world.disk if event.type in _TELLS]
    offers = [(*place, offer.status, offer.by) for place, offer in run.offers.items()]
    told = {
        key: display.displayed_state(run, d.post).partition(" ")[0]
        for key, d in run.deliveries.items()
        if d.post.thread is None
    }
    return code, run.phase, run.results, offers, run.accepted, run.hold, run.drift, run.watched, told, happened


def _played(scene: Scene, directory: Path, cut: Cut | None = None) -> tuple[DiskWorld, tuple[Any, ...]]:
    world = scene.world(directory, cut)
    code, run = turning(world.play())
    world.check(run)
    assert code == scene.code
    return world, _end(world, code, run)


_Plain = Mapping[str, tuple[DiskWorld, tuple[Any, ...]]]
"""By scene."""


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> _Plain:
    """Every scene as it goes when nothing dies, and its end. Read it, but never change it."""
    directory = tmp_path_factory.mktemp("plain")
    return {name: _played(scene, directory / name) for name, scene in _SCENES.items()}


def _new_shapes(plain: _Plain, wanted: str) -> list[int]:
    """The decisions of the scene, counted from 1, whose shape neither it nor a scene before it had until then; of a
    scene without such, the first.
    """
    seen = set[_Shape]()
    for name, (world, _) in plain.items():
        new = list[int]()
        for n, (decision, _, _) in enumerate(world.decisions, 1):
            if _shape(decision) not in seen:
                seen.add(_shape(decision))
                new.append(n)
        if name == wanted:
            return new or [1]
    raise KeyError(wanted)


@pytest.mark.parametrize("name", _SCENES)
@pytest.mark.parametrize("is_whole", [False, pytest.param(True, marks=pytest.mark.all)], ids=["short", "whole"])
def test_a_decision_that_is_torn_ends_as_one_that_is_not(
    tmp_path: Path, plain: _Plain, name: str, is_whole: bool
) -> None:
    """Each decision of the scene (in the short form of each shape the first of all scenes), torn in its first line, in
    the middle and before its last byte; every event is believed with the others of its decision or not at all.
    """
    world, undisturbed = plain[name]
    for n in range(1, len(world.decisions) + 1) if is_whole else _new_shapes(plain, name):
        for share in (0.0, 0.5, 1.0) if is_whole else ((n % 3) / 2,):
            _, end = _played(_SCENES[name], tmp_path / f"{n}-{share}", Cut(n, share))
            assert end == undisturbed, (n, share, _shape(world.decisions[n - 1][0]))


@pytest.mark.parametrize("stride", [211, pytest.param(1, marks=pytest.mark.all)], ids=["some", "every"])
def test_a_decision_that_is_cut_at_any_byte_is_dropped_whole(tmp_path: Path, plain: _Plain, stride: int) -> None:
    """Of each shape one: the chain ends where the decision began, and so does the run that is opened."""
    seen = set[_Shape]()
    file = tmp_path / "journal.jsonl"
    for world, _ in plain.values():
        whole = world.file.read_bytes()
        for decision, begins, ends in world.decisions:
            if _shape(decision) in seen:
                continue
            seen.add(_shape(decision))
            lines = whole[:begins].count(b"\n")
            edges = [begins + n + 1 for n, byte in enumerate(whole[begins : ends - 1]) if byte == ord("\n")]
            for length in sorted({begins, *range(begins, ends, stride), *edges, ends - 1}):
                file.write_bytes(whole[:length])
                assert sum(1 for _ in read_chain(file, torn_tail_allowed=True)) == lines
            with contextlib.closing(EventRecord.open(tmp_path)) as record:
                assert bool(record.torn_note) == (ends - 1 > begins)
                assert record.head[0] == lines
                assert record.run() == fold(world.disk[:lines])
            assert file.read_bytes() == whole[:begins]
    assert seen >= _shapes_of_histories()


def _shapes_of_histories() -> set[_Shape]:
    """But for the opening of a run, before which there is none to be taken up."""
    nights = [*(night_at(place) for place in PLACES), night_of_detours()]
    return {_shape(decision) for night in nights for decision in night.decisions[1:] if len(decision) > 1}


@pytest.mark.parametrize("stride", [11, pytest.param(1, marks=pytest.mark.all)], ids=["some", "every"])
def test_an_opening_that_is_cut_at_any_byte_opened_nothing(tmp_path: Path, stride: int) -> None:
    """There is no run then, and the next process opens one."""
    [opening, *_] = Night().decisions
    assert len(opening) > 1
    with contextlib.closing(EventRecord.open(tmp_path)) as record:
        record.append(opening)
    whole = (tmp_path / "journal.jsonl").read_bytes()
    edges = [n + 1 for n, byte in enumerate(whole[:-1]) if byte == ord("\n")]
    for length in sorted({*range(0, len(whole), stride), *edges, len(whole) - 1}):
        (tmp_path / "journal.jsonl").write_bytes(whole[:length])
        with contextlib.closing(EventRecord.open(tmp_path)) as record:
            assert (record.run(), record.head) == (None, (0, ""))

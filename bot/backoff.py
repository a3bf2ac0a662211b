"""What rests for a while before it is tried again, each by its own name: the more often it failed, the longer.

One message that the channel does not take must hold back no other, so every message has a rest of its own. Nothing is
remembered over a restart: a new process tries everything at once.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection

_SECONDS = (1, 2, 5, 10, 30)


class Rests:
    """`ended` is called whenever a rest has ended."""

    def __init__(self, ended: Callable[[], None]) -> None:
        self._ended = ended
        self._misses: Counter[str] = Counter()
        self._resting: dict[str, asyncio.TimerHandle] = {}

    @property
    def names(self) -> Collection[str]:
        """Of what rests now."""
        return self._resting.keys()

    def rest(self, name: str, seconds: float) -> None:
        """At least so long; a rest that lasts longer already is not shortened."""
        loop = asyncio.get_running_loop()
        before = self._resting.get(name)
        if before is not None:
            if before.when() >= loop.time() + seconds:
                return
            before.cancel()
        self._resting[name] = loop.call_later(seconds, self._wake, name)

    def misses(self, name: str) -> int:
        """How often it has failed since it last succeeded."""
        return self._misses[name]

    def failed(self, name: str) -> int:
        """It rests for so many seconds."""
        seconds = _SECONDS[min(self._misses[name], len(_SECONDS) - 1)]
        self._misses[name] += 1
        self.rest(name, seconds)
        return seconds

    def succeeded(self, name: str) -> None:
        del self._misses[name]

    def end(self) -> None:
        """Nobody is called any more."""
        for handle in self._resting.values():
            handle.cancel()
        self._resting.clear()

    def _wake(self, name: str) -> None:
        del self._resting[name]
        self._ended()

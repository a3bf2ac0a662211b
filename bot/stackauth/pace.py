"""How long to wait before the next request: pure, told the time and what came of each request.

A steady pace: a fixed number of requests at once. When the service asks for fewer, or cannot be reached, everybody
waits: as long as it said, else for a time that doubles with each round, up to a limit. Requests that were under way
together and fail together are one round, since only a failure after the wait has ended says anything new.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(kw_only=True)
class Pace:
    """Times are seconds of any steady clock."""

    first_seconds: float = 0.5
    longest_seconds: float = 30.0
    longest_obeyed_seconds: float = 900.0
    """What the service asks for is obeyed up to here; more than that is asked again."""
    _until: float = field(default=float("-inf"), init=False)
    _rounds: int = field(default=0, init=False)
    _trouble_since: float | None = field(default=None, init=False)

    def delay(self, now: float) -> float:
        """Seconds until the next request may be sent; 0 when it may be sent now."""
        return max(0.0, self._until - now)

    def succeeded(self) -> None:
        """The service answered. A wait that somebody else was told goes on."""
        self._rounds = 0
        self._trouble_since = None

    def failed(self, now: float, retry_after: float | None) -> None:
        """The service asked for fewer requests or could not be reached; `retry_after` is in seconds if it said."""
        if self._trouble_since is None:
            self._trouble_since = now
        if now >= self._until:
            wait = self.backoff(self._rounds)
            self._rounds += 1
            self._until = now + (wait if retry_after is None else 0.0)
        if retry_after is not None:
            self._until = max(self._until, now + min(retry_after, self.longest_obeyed_seconds))

    def backoff(self, nth: int) -> float:
        """Seconds to wait after failure number `nth`, counted from 0."""
        return min(self.longest_seconds, self.first_seconds * 2.0 ** min(nth, 32))

    def trouble(self, now: float) -> float:
        """For how many seconds nothing has succeeded; 0 when the last request did."""
        return 0.0 if self._trouble_since is None else now - self._trouble_since

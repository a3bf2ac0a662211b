"""When the next request may begin: pure, given the time and what came of each request.

    wait = limiter.turn(now)          0: a request begins now; else ask again after so many seconds
    limiter.succeeded(now)            the service answered it
    limiter.limited(now, …)           429: the service asks for fewer
    limiter.failed(now, began=…)      no connection, or an edge that says so

Two things hold requests back. A *wait* is for everybody: as long as the service said, else for a time that doubles with
each round without an answer. The *rate* is how many requests begin in a second, and nobody tells it:

- Slow start: while no limit is known, it doubles every quarter of a second.
- It grows only while it is what holds requests back, so that without a limit it soon costs nothing.
- A limit shows by a 429 that says when to come again, or by more of them than chance explains. One here and there
  without a word says nothing about our rate.
- The rate then falls to just below what was really served, the ceiling, and comes back to just under it. When refusals
  go on all the same, it is halved.
- Rarely, it is raised above the ceiling, by steps each twice as bold, until a refusal or into a new slow start.
- Requests that were under way together are one round: only one that began after a fall can bring the next.
"""

from __future__ import annotations

from collections import deque

_NEVER = float("-inf")


class RateLimiter:
    """Times are seconds of any steady clock."""

    def __init__(
        self, *, first_seconds: float = 0.5, longest_seconds: float = 30.0, longest_obeyed_seconds: float = 900.0
    ) -> None:
        """`first_seconds` is the first wait that nobody asked for, `longest_seconds` the longest. What the service asks
        for is obeyed up to `longest_obeyed_seconds`; more than that is asked again.
        """
        self._first_seconds = first_seconds
        self._longest_seconds = longest_seconds
        self._longest_obeyed_seconds = longest_obeyed_seconds
        self._until = _NEVER
        self._rounds = 0
        self._failing_since: float | None = None
        self._fell_at = _NEVER
        self._rate = _Rate()
        self._recent = _Recent()

    @property
    def rate(self) -> float | None:
        """Requests that may begin in a second; None while the service has shown no limit."""
        return None if self._rate.ceiling is None else self._rate.per_second

    def turn(self, now: float) -> float:
        """Seconds until it makes sense to ask again. 0 lets one request begin, and counts it."""
        return self.delay(now) or self._rate.turn(now)

    def delay(self, now: float) -> float:
        """Seconds that everybody has to wait; 0 when nobody has."""
        return max(0.0, self._until - now)

    def succeeded(self, now: float) -> None:
        """The service answered. A wait that was asked of somebody else goes on."""
        self._rounds = 0
        self._failing_since = None
        self._recent.served(now)

    def limited(self, now: float, *, began: float, retry_after: float | None) -> None:
        """The service asked for fewer requests when it was sent one at `began`; `retry_after` is in seconds if it
        said.
        """
        failing = self._failing_since
        if failing is None:
            self._failing_since = now
        if began >= self._fell_at:
            self._recent.refused(now)
            if retry_after or self._recent.too_many:
                again = now - self._fell_at < self._recent.SECONDS
                self._rate.fall(now, self._recent.best(now), halve=again and self._recent.far_too_many)
                self._recent.judge_anew(now)
                self._fell_at = now
        if retry_after is not None:
            self._until = max(self._until, now + min(retry_after, self._longest_obeyed_seconds))
        elif failing is not None and began >= failing:
            self._back_off(now)

    def failed(self, now: float, *, began: float) -> None:
        """The service could not be reached with a request that began then. One failure among answers makes nobody wait:
        connections break now and then. Nothing but failures do.
        """
        failing = self._failing_since
        if failing is None:
            self._failing_since = now
        elif began >= failing:
            if self._rounds == 0:
                self._rate.begin_again()
            self._back_off(now)

    def backoff(self, nth: int) -> float:
        """Seconds to wait after failure number `nth`, counted from 0."""
        return min(self._longest_seconds, self._first_seconds * 2.0 ** min(nth, 32))

    def failing_for(self, now: float) -> float:
        """For how many seconds nothing has succeeded; 0 when the last request did."""
        return 0.0 if self._failing_since is None else now - self._failing_since

    def _back_off(self, now: float) -> None:
        if now >= self._until:
            self._until = now + self.backoff(self._rounds)
            self._rounds += 1


class _Rate:
    """How many requests may begin in a second, and when the next may. They are spread evenly over the second."""

    FIRST = 64.0
    AGAIN = 16.0
    LEAST = 1.0
    DOUBLES_SECONDS = 0.25
    STEP_SECONDS = 1.0
    """How long a rate is tried before the next: services count by the second."""
    FALLS_TO = 0.98
    HELD_AT = 0.99
    """Of the ceiling: what a service counts in a second then has 10 ms to come late or early."""
    CATCHES_UP_SECONDS = 0.005
    """A request that is late by less does not move those after it: timers wake late, and a few go at once then."""
    FIRST_STEP = 0.04
    PROBES_AFTER_SECONDS = 60.0
    PROBES_AT_LAST_AFTER_SECONDS = 600.0

    def __init__(self) -> None:
        self.per_second = self.FIRST
        self.ceiling: float | None = None
        """The most that the service was seen to serve in a second; None while it has shown no limit."""
        self._next = _NEVER
        self._held_back_since: float | None = None
        self._probe_at = _NEVER
        self._probe_after = self.PROBES_AFTER_SECONDS
        self._step = self.FIRST_STEP

    def turn(self, now: float) -> float:
        """Seconds until the next request may begin; 0 lets it begin now."""
        if now < self._next:
            if self._held_back_since is None:
                self._held_back_since = now
            return self._next - now
        if self._held_back_since is not None:
            tried = self.DOUBLES_SECONDS if self.ceiling is None else self.STEP_SECONDS
            if now - self._held_back_since >= tried:
                self._held_back_since = None
                self._grow(now)
        self._next = max(self._next, now - self.CATCHES_UP_SECONDS) + 1 / self.per_second
        return 0.0

    def fall(self, now: float, served: float, *, halve: bool) -> None:
        """`served` is what the service has lately served in a second. A probe that failed makes the next rarer; a
        refusal at the rate that was held says that even this is too much.
        """
        if self.ceiling is None:
            self._probe_at = now + self._probe_after
        elif self.per_second > self._held_at:
            self._probe_after = min(2 * self._probe_after, self.PROBES_AT_LAST_AFTER_SECONDS)
            self._probe_at = now + self._probe_after
        elif self.per_second >= self.FALLS_TO * self.ceiling:
            served = min(served, self.per_second)
        self._step = self.FIRST_STEP
        if served:
            self.ceiling = served
        if halve or not served:
            self._change(self.per_second / 2)
        else:
            self._change(self.FALLS_TO * min(self.per_second, served))

    def begin_again(self) -> None:
        """After an outage, at half the rate, but not much slower than at first."""
        self._change(max(self.per_second / 2, min(self.per_second, self.AGAIN)))

    @property
    def _held_at(self) -> float:
        assert self.ceiling is not None
        return max(self.LEAST, self.HELD_AT * self.ceiling)

    def _change(self, per_second: float) -> None:
        self.per_second = max(self.LEAST, per_second)
        self._held_back_since = None

    def _grow(self, now: float) -> None:
        if self.ceiling is None:
            self.per_second *= 2
        elif self.per_second < self._held_at:
            gap = self._held_at - self.per_second
            self.per_second += min(gap, max(gap / 2, self.ceiling / 500))
        elif now >= self._probe_at:
            self.per_second *= 1 + self._step
            self._step *= 2
            if self._step > 1:
                self.ceiling, self._probe_after = None, self.PROBES_AFTER_SECONDS


class _Recent:
    """The service's latest answers: what it served in the last seconds, and how much it refused since a fall."""

    SECONDS = 3
    JUDGED_TOGETHER = 30
    """At least so many answers, where fewer come in these seconds."""
    BY_CHANCE = 3
    """So many refusals say nothing, however few the answers."""
    TOO_MANY, FAR_TOO_MANY = 1 / 20, 1 / 10
    """Shares of the answers."""

    def __init__(self) -> None:
        self._served: deque[float] = deque()
        self._since = _NEVER
        self._answers = self._refusals = 0

    def served(self, now: float) -> None:
        self._served.append(now)
        while self._served[0] <= now - self.SECONDS:
            self._served.popleft()
        self._answer(now)

    def refused(self, now: float) -> None:
        self._answer(now)
        self._refusals += 1

    def best(self, now: float) -> int:
        """What was served in the best of the last seconds."""
        counts = [0] * self.SECONDS
        for at in self._served:
            if (ago := int(now - at)) < self.SECONDS:
                counts[ago] += 1
        return max(counts)

    @property
    def too_many(self) -> bool:
        """More were refused than two or three in a hundred by chance would come to."""
        return self._refusals > self.BY_CHANCE + self.TOO_MANY * self._answers

    @property
    def far_too_many(self) -> bool:
        return self._refusals > max(self.BY_CHANCE, self.FAR_TOO_MANY * self._answers)

    def judge_anew(self, now: float) -> None:
        """What was answered until now says nothing about the rate that follows."""
        self._since = now
        self._answers = self._refusals = 0

    def _answer(self, now: float) -> None:
        if now - self._since >= self.SECONDS and self._answers >= self.JUDGED_TOGETHER:
            self.judge_anew(now)
        self._answers += 1

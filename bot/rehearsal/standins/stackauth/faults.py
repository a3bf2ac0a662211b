"""What can go wrong on the way, as switches: the next N requests, a share of them, or those a predicate picks.

The kinds come in two families. Those that strike *before* leave the store untouched. Those that strike *after* let the
request do its work and spoil the answer alone, so that the caller cannot know; a request that the service refuses keeps
its refusal, and the fault waits for the next one.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from .answers import Json

FaultKind = Literal[
    "429-seconds",  # Retry-After in seconds, JSON body
    "429-date",  # Retry-After as an HTTP date, no body
    "429-html",  # no Retry-After, a page of HTML
    "500-before",  # generic text, nothing stored
    "500-after",  # the same text, but the work is done
    "drop-before",  # the connection ends without an answer, nothing stored
    "drop-after",  # the same, but the work is done
    "hang-after",  # the work is done and the answer never comes, while the connection stays open
    "502-html",  # an edge's page of HTML, nothing stored
    "key-revoked",  # from this request on, the secret key is not valid
]
AFTER: frozenset[FaultKind] = frozenset({"500-after", "drop-after", "hang-after"})
Predicate = Callable[[Json], FaultKind | None]


@dataclass(kw_only=True)
class _Armed:
    kind: FaultKind
    method: str | None
    left: int | None = None
    skip: int = 0
    share: float = 1.0


@dataclass(frozen=True)
class Strike:
    """A fault that was chosen for one request."""

    kind: FaultKind
    _armed: _Armed | None = None

    def give_back(self) -> None:
        """The service refused the request, so that a fault meant for its answer found nothing to spoil."""
        if self._armed is not None and self._armed.left is not None:
            self._armed.left += 1


class Faults:
    """Chance comes from `seed` alone, so that the same requests in the same order meet the same faults."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._armed: list[_Armed] = []
        self._predicates: list[Predicate] = []

    def next(self, kind: FaultKind, *, times: int = 1, skip: int = 0, method: str | None = None) -> None:
        """Strike `times` requests (of this method), after letting `skip` of them pass."""
        self._armed.append(_Armed(kind=_known(kind), method=method, left=times, skip=skip))

    def share(self, kind: FaultKind, share: float, *, method: str | None = None) -> None:
        """Strike this share (0 to 1) of all requests (of this method) until `clear`."""
        self._armed.append(_Armed(kind=_known(kind), method=method, share=share))

    def when(self, predicate: Predicate) -> None:
        """Ask `predicate` about the parsed body of each request (None if there is none) until `clear`."""
        self._predicates.append(predicate)

    def clear(self) -> None:
        self._armed.clear()
        self._predicates.clear()

    def choose(self, method: str, body: Json) -> Strike | None:
        for predicate in self._predicates:
            picked = predicate(body)
            if picked is not None:
                return Strike(_known(picked))
        for armed in self._armed:
            if armed.method not in (None, method) or armed.left == 0:
                continue
            if armed.skip > 0:
                armed.skip -= 1
            elif self._random.random() < armed.share:
                if armed.left is not None:
                    armed.left -= 1
                return Strike(armed.kind, armed)
        return None


def _known(kind: FaultKind) -> FaultKind:
    if kind not in get_args(FaultKind):
        raise ValueError(f"there is no fault {kind!r}")
    return kind

"""The filter for secrets and personal data, which every log line and every trace passes.

It is a net under the rope: nobody may log a secret in the first place. It removes every secret value that it is given,
and whatever looks like a token, a password in an address, a password hash or an e-mail address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_PERSONAL = re.compile(
    r"""xox[a-z]-[\w-]+ | xapp-[\w-]+ | \bssk_\w+ | \beyJ[\w-]++\.[\w-]++\.[\w-]* | \bsb_(?:secret|publishable)_\w+
      | (?<=ticket=)[\w-]+ | (?<=password=)(?:'[^']*'|\S+)
      | \$2[abxy]\$[./\w$]+ | \$(?:argon2\w*|fbscrypt)\$[^\s"'<>]+
      | (?<=://)(?P<user>[^\s/@:"'<>]*:)
      | [^\s@<>"(,;:=]{1,256}@[^\s@<>"'),;]+\.[^\s@<>"'),;]+""",
    re.VERBOSE,
)
"""What is before an @ is four times as long as it may be in any address, and no longer: from each letter of a word
without end it would else be looked for to the end of the word, ten seconds for what fits into one message. For the same
reason the password behind a `user` is looked for once in a word, and not by the pattern.
"""
_REST_OF_WORD = re.compile(r"""[^\s"'<>]*""")
_REMOVED = "[removed]"
_known: list[str] = []


def know(secrets: Iterable[str]) -> None:
    """These are the secrets of this process, and no others."""
    _known[:] = secrets


def known() -> tuple[str, ...]:
    """The secrets of this process, for what is shown outside of its log."""
    return tuple(_known)


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without secrets and personal data."""
    for secret in sorted(secrets, key=len, reverse=True):
        if secret:
            text = text.replace(secret, _REMOVED)
    return "".join(_without_personal(text))


def _without_personal(text: str) -> Iterator[str]:
    kept_to = begin = word_end = last_at = 0
    while found := _PERSONAL.search(text, begin):
        end = found.end()
        if found["user"] is not None:
            if end >= word_end:
                word_end = _REST_OF_WORD.match(text, end).end()  # type: ignore[union-attr]
                last_at = text.rfind("@", end, word_end)
            if last_at <= end:
                begin = found.start() + 1
                continue
            end = last_at
        yield text[kept_to : found.start()]
        yield _REMOVED
        kept_to = begin = end
    yield text[kept_to:]

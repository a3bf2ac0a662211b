"""What Slack makes of a text: what it links by itself before it keeps it, and what a reader sees and copies of it.

Marks outside of code are formatting: a reader sees bold letters where asterisks were, and copies no asterisk. Within a
fence nothing is formatted; the three entities are shown as their characters everywhere, and what is between angle
brackets is shown as the link or the mention that it names.
"""

import re
from collections.abc import Collection

FENCE = "```"
_CODE = re.compile(r"(```.*?```|`[^`\n]+`)", re.DOTALL)
_CONTROL = re.compile(r"<([^<>|]*)(?:\|([^<>]*))?>")
_MARKS = tuple(
    re.compile(rf"(?<![\w{mark}]){mark}(?=\S)([^{mark}\n]+?)(?<=\S){mark}(?![\w{mark}])") for mark in (r"\*", "_", "~")
)
_ADDRESS = re.compile(r"(?<![<\w|/])(https?://[^\s<>|]+)")
_CHANNEL = re.compile(r"(?<![\w&<])#([a-z0-9_-]{1,80})")
_EVERYBODY = re.compile(r"(?<!\w)@(channel|here|everyone)\b")


def linked(text: str, channels: Collection[tuple[str, str]]) -> str:
    """What `parse=client`, or mrkdwn that is not verbatim, makes of a text: addresses, channels (id, name) and a call
    to everybody work, though nobody wrote them as such. Code stays as it is.
    """
    ids = {name: id_ for id_, name in channels}

    def channel(match: re.Match[str]) -> str:
        return f"<#{ids[match[1]]}>" if match[1] in ids else match[0]

    parts = _CODE.split(text)  # the odd ones are code
    for n in range(0, len(parts), 2):
        parts[n] = _EVERYBODY.sub(r"<!\1>", _CHANNEL.sub(channel, _ADDRESS.sub(r"<\1>", parts[n])))
    return "".join(parts)


def seen(text: str) -> str:
    """The text as a reader sees it, and copies it."""
    parts = _CODE.split(text)
    return "".join(_code(part) if n % 2 else _formatted(part) for n, part in enumerate(parts))


def blocks_of_code(text: str) -> list[str]:
    """What a reader copies out of each fence."""
    return [seen(part).removesuffix("\n") for part in _CODE.split(text)[1::2] if part.startswith(FENCE)]


def _code(part: str) -> str:
    if part.startswith(FENCE):
        return _shown(part.removeprefix(FENCE).removesuffix(FENCE).removeprefix("\n"))
    return _shown(part[1:-1])


def _formatted(part: str) -> str:
    for mark in _MARKS:
        part = mark.sub(r"\1", part)
    return _shown(part)


def _shown(text: str) -> str:
    plain = _CONTROL.sub(lambda match: match[2] if match[2] is not None else match[1], text)
    return plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")

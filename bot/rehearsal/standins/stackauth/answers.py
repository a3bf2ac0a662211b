"""What the service can say: a JSON answer, a known error, a plain text.

The service has two shapes of refusal, and a client must survive both. A *known error* is JSON `{code, details?, error}`
with the code repeated in a header; everything else is `text/plain` without a code. A `Refusal` carries either through
the code that noticed the mistake; a `Breakdown` is a mistake that the service does not notice as one, so that its
caller sees only a generic 500.
"""

import json
from dataclasses import dataclass
from typing import TypeAlias

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None
JsonObject: TypeAlias = dict[str, Json]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A status and a whole body; `code` is set for known errors alone and goes into their headers."""

    status: int
    content_type: str
    body: bytes
    code: str | None = None


class Refusal(Exception):
    """The request is answered with `answer`, and nothing was stored."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.code or answer.body.decode())
        self.answer = answer


class Breakdown(Exception):
    """The service fails over this request: nothing was stored, the caller gets a generic 500.

    `retried` means that it tried its transaction several times first, which takes seconds.
    """

    def __init__(self, *, retried: bool) -> None:
        super().__init__("generic 500")
        self.retried = retried


def json_answer(status: int, body: Json, *, code: str | None = None) -> Answer:
    return Answer(
        status=status,
        content_type="application/json",
        body=json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(),
        code=code,
    )


def text_answer(status: int, text: str) -> Answer:
    return Answer(status=status, content_type="text/plain", body=text.encode())


def plain_refusal(status: int, text: str) -> Refusal:
    return Refusal(text_answer(status, text))


def known_error(status: int, code: str, sentence: str, details: JsonObject | None = None) -> Refusal:
    """A refusal with a code; the key of the sentence is `error`, not `message`."""
    body: JsonObject = {"code": code}
    if details is not None:
        body["details"] = details
    body["error"] = sentence
    return Refusal(json_answer(status, body, code=code))


def schema_error(method: str, path: str, problems: list[str]) -> Refusal:
    """Every problem of the request at once, one line each; the text is in `error` and in the details."""
    lines = "\n".join(f"  - {problem}" for problem in problems)
    sentence = f"Request validation failed on {method} {path}:\n{lines}"
    return known_error(400, "SCHEMA_ERROR", sentence, {"message": sentence})

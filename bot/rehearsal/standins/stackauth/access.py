"""Who is asking: the order in which the service refuses headers, and what it makes of a body's bytes.

The service reads the body first, so that broken JSON with a wrong key is reported as broken JSON. The new generation
reads `x-hexclave-*` and, failing that, `x-stack-*`; the old one knows `x-stack-*` only.

Numbers go through the service's JavaScript, which keeps 53 bits: a larger integer inside somebody's metadata comes
back rounded. That is played here, because a comparison field by field stumbles over it.
"""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Literal, cast
from urllib.parse import parse_qsl

from .answers import Json, known_error

Generation = Literal["new", "old"]
DEFAULT_BRANCH = "main"
LARGEST_EXACT_INTEGER = 2**53


def parsed_body(content_type: str | None, raw: bytes) -> tuple[Json, bool]:
    """The body, and whether there is one: without a content type the service takes it as missing."""
    kind = (content_type or "").split(";")[0]
    text = raw.decode("utf-8-sig", errors="replace")
    if kind == "":
        return None, False
    if kind == "application/json":
        try:
            return _javascript_json(text), True
        except (ValueError, RecursionError):
            raise known_error(400, "BODY_PARSING_ERROR", "Invalid JSON in request body") from None
    if kind == "application/x-www-form-urlencoded":
        return dict(parse_qsl(text, keep_blank_values=True)), True
    if kind in ("text/plain", "application/octet-stream"):
        return text, True
    raise known_error(400, "BODY_PARSING_ERROR", f"Unknown content type in request body: {kind}")


def authorize(
    headers: Mapping[str, str],
    *,
    generation: Generation,
    project_id: str,
    secret_key: str | None,
    clients_too: bool = False,
) -> None:
    """Refuse in the service's order; `secret_key` None means that every key has been revoked. A client's endpoint takes
    any key of the form of a publishable one.
    """
    families = ("x-hexclave-", "x-stack-") if generation == "new" else ("x-stack-",)

    def header(name: str) -> str:
        return next((headers[family + name] for family in families if headers.get(family + name)), "")

    access_type, project = header("access-type"), header("project-id")
    keys = ("publishable-client-key", "secret-server-key", "super-secret-admin-key", "admin-access-token")
    if not access_type:
        if any(header(key) for key in keys):
            raise known_error(
                400, "PROJECT_KEY_WITHOUT_ACCESS_TYPE", "A key came without the header that names the access type."
            )
        raise known_error(400, "ACCESS_TYPE_REQUIRED", "The header that names the access type is required.")
    if access_type not in ("client", "server", "admin"):
        raise known_error(
            400, "INVALID_ACCESS_TYPE", f"The access type must be 'client', 'server', or 'admin', not '{access_type}'."
        )
    if not project:
        raise known_error(
            400,
            "ACCESS_TYPE_WITHOUT_PROJECT_ID",
            f"The access type was '{access_type}', but the project id was not provided.",
            {"request_type": access_type},
        )
    if project != project_id:
        raise known_error(400, "CURRENT_PROJECT_NOT_FOUND", f"There is no project {project}.", {"project_id": project})
    match access_type:
        case "server":
            _refuse_unless_right(header("secret-server-key"), secret_key, project, "server", "SECRET_SERVER_KEY")
        case "admin":
            _refuse_unless_right(header("super-secret-admin-key"), None, project, "admin", "SUPER_SECRET_ADMIN_KEY")
        case "client" if clients_too:
            _refuse_unless_publishable(header("publishable-client-key"), project)
        case _:
            raise known_error(
                401,
                "INSUFFICIENT_ACCESS_TYPE",
                "The access type must be 'server' or 'admin', but was 'client'.",
                {"actual_access_type": "client", "allowed_access_types": ["server", "admin"]},
            )
    branch = header("branch-id") or DEFAULT_BRANCH
    if branch != DEFAULT_BRANCH:
        raise known_error(400, "BRANCH_DOES_NOT_EXIST", f"There is no branch {branch}.", {"branch_id": branch})


def _refuse_unless_publishable(given: str, project: str) -> None:
    if not given:
        raise known_error(401, "CLIENT_AUTHENTICATION_REQUIRED", "The publishable key must be provided.")
    if not given.startswith("pck_"):
        sentence = f"The publishable key is not valid for the project {project}."
        raise known_error(401, "INVALID_PUBLISHABLE_CLIENT_KEY", sentence, {"project_id": project})


def _refuse_unless_right(given: str, right: str | None, project: str, access_type: str, key_name: str) -> None:
    if not given:
        raise known_error(401, f"{access_type.upper()}_AUTHENTICATION_REQUIRED", "The secret key must be provided.")
    if given != right:
        sentence = f"The key is not valid for the project {project}."
        raise known_error(401, f"INVALID_{key_name}", sentence, {"project_id": project})


def _javascript_json(text: str) -> Json:
    def refuse(constant: str) -> Json:
        raise ValueError(constant)

    return cast(Json, json.loads(text, parse_int=_integer, parse_float=_fraction, parse_constant=refuse))


def _integer(digits: str) -> int | None:
    # Longer than any double: JavaScript reads infinity and writes null.
    number = int(digits) if len(digits) < 310 else None
    if number is None or abs(number) <= LARGEST_EXACT_INTEGER:
        return number
    return int(Decimal(repr(float(digits))))


def _fraction(digits: str) -> int | float | None:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        return None
    return int(Decimal(repr(number))) if number.is_integer() else number

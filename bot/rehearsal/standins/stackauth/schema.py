"""The form of a request: which keys there are, what their values may be, and all problems of a request at once.

A rule takes a value and its path, notes problems, and returns the value as the service would go on with it. The
service coerces as its validator does: numbers and booleans become strings where a string is asked for, and "true" or 1
a boolean. A key that is not in the table is refused wherever it is; that `id`, `created_at`, `phone` or
`signed_up_at_millis` are not in it is the service's rule that nobody chooses them.
"""

import re
from collections.abc import Callable, Container, Iterable, Mapping
from typing import TypeAlias
from urllib.parse import urlsplit

from .access import Generation
from .answers import Json, JsonObject

Problems: TypeAlias = list[str]
Rule: TypeAlias = Callable[[Json, str, Problems], Json]
Check: TypeAlias = Callable[[str], str | None]

LONGEST_DISPLAY_NAME = 256
LONGEST_PASSWORD = 70
LONGEST_IMAGE = 1_000_000
LARGEST_PAGE = 1000

_EMAIL_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_EMAIL = re.compile(rf"[a-zA-Z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{_EMAIL_LABEL}(?:\.{_EMAIL_LABEL})*")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE)
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_BCRYPT = re.compile(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}")
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.0+)?")


def is_bcrypt_hash(text: str) -> bool:
    """By its form alone: no hash is computed."""
    found = _BCRYPT.fullmatch(text)
    return found is not None and 4 <= int(found.group(1)) <= 16


def is_uuid(text: str) -> bool:
    return _UUID.fullmatch(text) is not None


def checked(body: Json, present: bool, fields: Mapping[str, Rule], problems: Problems) -> JsonObject:
    """The body by the table, or its problems noted; the returned value counts only if there were none."""
    if not present:
        problems.append("body must be defined")
        return {}
    value = _record(fields)(body, "body", problems)
    if not isinstance(value, dict):
        return {}
    if value.get("restricted_by_admin") is not True:
        problems.extend(
            f"{key} must be null when restricted_by_admin is not true"
            for key in ("restricted_by_admin_reason", "restricted_by_admin_private_details")
            if value.get(key) is not None
        )
    return value


def _text(*checks: Check, nullable: bool = False, longest: int | None = None) -> Rule:
    def rule(value: Json, path: str, problems: Problems) -> Json:
        if value is None:
            if not nullable:
                problems.append(f"{path} cannot be null")
            return None
        if isinstance(value, list | dict):
            problems.append(f"{path} must be a `string` type")
            return None
        text = _as_javascript_text(value)
        if longest is not None and _javascript_length(text) > longest:
            problems.append(f"{path} must be at most {longest} characters")
        problems.extend(f"{path} {problem}" for check in checks if (problem := check(text)))
        return text

    return rule


def _boolean(value: Json, path: str, problems: Problems) -> Json:
    if value is None:
        problems.append(f"{path} cannot be null")
        return None
    word = "" if isinstance(value, list | dict) else _as_javascript_text(value).lower()
    if word in ("true", "1"):
        return True
    if word in ("false", "0"):
        return False
    problems.append(f"{path} must be a `boolean` type")
    return None


def _only_false(value: Json, path: str, problems: Problems) -> Json:
    truth = _boolean(value, path, problems)
    if truth is True:
        problems.append(f"{path} must be one of the following values: false")
    return truth


def _any_json(value: Json, path: str, problems: Problems) -> Json:
    return value


def _score(value: Json, path: str, problems: Problems) -> Json:
    if isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value.strip()):
        value = int(float(value))
    if isinstance(value, bool) or not isinstance(value, int):
        problems.append(f"{path} must be an integer")
        return None
    if not 0 <= value <= 100:
        problems.append(f"{path} must be from 0 to 100")
    return value


def _country(value: Json, path: str, problems: Problems) -> Json:
    if value is None:
        return None
    letters = value.strip().upper() if isinstance(value, str) else ""
    if re.fullmatch(r"[A-Z]{2}", letters) is None:
        problems.append(f"{path} must be a 2-letter country code")
    return letters


def _record(fields: Mapping[str, Rule], required: frozenset[str] = frozenset()) -> Rule:
    def rule(value: Json, path: str, problems: Problems) -> Json:
        if value is None:
            problems.append(f"{path} cannot be null")
            return None
        if not isinstance(value, dict):
            problems.append(f"{path} must be a `object` type")
            return None
        problems.extend(f"{path}.{key} must be defined" for key in sorted(required - value.keys()))
        unknown = [key for key in value if key not in fields]
        if unknown:
            problems.append(f"{path} contains unknown properties: {', '.join(unknown)}")
        return {key: fields[key](item, f"{path}.{key}", problems) for key, item in value.items() if key in fields}

    return rule


def _list_of(item_rule: Rule) -> Rule:
    def rule(value: Json, path: str, problems: Problems) -> Json:
        if value is None:
            problems.append(f"{path} cannot be null")
            return None
        if not isinstance(value, list):
            problems.append(f"{path} must be a `array` type")
            return None
        return [item_rule(item, f"{path}[{index}]", problems) for index, item in enumerate(value)]

    return rule


def _as_javascript_text(value: bool | int | float | str) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _javascript_length(text: str) -> int:
    return len(text.encode("utf-16-le", errors="surrogatepass")) // 2


def _not_empty(text: str) -> str | None:
    return None if text else "must not be empty"


def _email(text: str) -> str | None:
    return None if text == "" or _EMAIL.fullmatch(text) else "must be a valid email"


def _base64(text: str) -> str | None:
    return None if _BASE64.fullmatch(text) else "is not valid base64"


def _uuid(text: str) -> str | None:
    return None if is_uuid(text) else "must be a valid UUID"


def _no_spaces(text: str) -> str | None:
    return "contains spaces" if " " in text else None


def _picture_url(text: str) -> str | None:
    """Of a scheme in small letters."""
    if not text.startswith(("http://", "https://", "data:image/")):
        return "is not a valid URL"
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return "is not a valid URL"
    whole = parts.hostname is not None or parts.scheme == "data"
    return None if whole else "is not a valid URL"


def _one_of(*words: str) -> Check:
    return lambda text: None if text in words else f"must be one of the following values: {', '.join(words)}"


def _page_size(largest: int | None) -> Check:
    def check(text: str) -> str | None:
        if not _WHOLE_NUMBER.fullmatch(text):
            return "must be an integer"
        if int(float(text)) < 1:
            return "must be greater than or equal to 1"
        if largest is not None and int(float(text)) > largest:
            return f"must be less than or equal to {largest}"
        return None

    return check


_RISK_SCORES = _record({"bot": _score, "free_trial_abuse": _score}, frozenset({"bot", "free_trial_abuse"}))
_BOTH: dict[str, Rule] = {
    "primary_email": _text(_not_empty, _email, nullable=True),
    "primary_email_verified": _boolean,
    "primary_email_auth_enabled": _boolean,
    "display_name": _text(nullable=True, longest=LONGEST_DISPLAY_NAME),
    "password": _text(nullable=True, longest=LONGEST_PASSWORD),
    "password_hash": _text(_not_empty),
    "otp_auth_enabled": _boolean,
    "passkey_auth_enabled": _boolean,
    "totp_secret_base64": _text(_base64, nullable=True),
    "client_metadata": _any_json,
    "client_read_only_metadata": _any_json,
    "server_metadata": _any_json,
    "profile_image_url": _text(_no_spaces, _picture_url, nullable=True, longest=LONGEST_IMAGE),
    "restricted_by_admin": _boolean,
    "restricted_by_admin_reason": _text(nullable=True),
    "restricted_by_admin_private_details": _text(nullable=True),
    "country_code": _country,
    "risk_scores": _record({"sign_up": _RISK_SCORES}, frozenset({"sign_up"})),
}
_OAUTH_IDENTITY = _record(
    {"id": _text(), "account_id": _text(), "email": _text(nullable=True)}, frozenset({"id", "account_id"})
)
SIGN_IN_FIELDS: dict[str, Rule] = {
    "email": _text(_not_empty, _email),
    "password": _text(longest=LONGEST_PASSWORD),
}
SECOND_FACTOR_FIELDS: dict[str, Rule] = {
    "type": _text(_one_of("totp")),
    "totp": _text(),
    "code": _text(),
}
CREATE_FIELDS: dict[str, Rule] = {**_BOTH, "oauth_providers": _list_of(_OAUTH_IDENTITY), "is_anonymous": _boolean}
UPDATE_FIELDS: dict[str, Rule] = {
    **_BOTH,
    "is_anonymous": _only_false,
    "selected_team_id": _text(_uuid, nullable=True),
}


def checked_query(query: Mapping[str, str], generation: Generation, problems: Problems) -> None:
    """Note the problems of a query string; every users endpoint knows the same keys. The service knows more of them."""
    flag = _one_of("true", "false")
    checks: dict[str, Check] = {
        "limit": _page_size(LARGEST_PAGE if generation == "new" else None),
        "cursor": _uuid,
        "order_by": _one_of("signed_up_at"),
        "desc": flag,
        "include_anonymous": flag,
        "include_restricted": flag,
    }
    problems.extend(f"query.{key} {found}" for key in query if key in checks and (found := checks[key](query[key])))
    refuse_unknown(query, checks, problems)


def refuse_unknown(query: Iterable[str], known: Container[str], problems: Problems) -> None:
    """Note the keys of a query string that an endpoint does not know."""
    unknown = [key for key in query if key not in known]
    if unknown:
        problems.append(f"query contains unknown properties: {', '.join(unknown)}")

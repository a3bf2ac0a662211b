"""What the service tells of users and projects, decoded and checked."""

from __future__ import annotations

import json
from typing import Any

import httpx
import orjson
from pydantic import BaseModel, ConfigDict

from bot.stackauth.client.errors import NoAnswer, unintelligible


class OauthAccount(BaseModel):
    """`id` names the provider as the project does; `account_id` is the provider's id of the person."""

    model_config = ConfigDict(frozen=True)

    id: str
    account_id: str
    email: str | None = None


class User(BaseModel):
    """What the service tells of a user, as far as we build on it. Times are milliseconds since 1970, its own clock."""

    model_config = ConfigDict(frozen=True)

    id: str
    signed_up_at_millis: int
    primary_email: str | None
    primary_email_verified: bool
    primary_email_auth_enabled: bool
    display_name: str | None
    profile_image_url: str | None
    has_password: bool
    otp_auth_enabled: bool
    client_metadata: Any
    server_metadata: Any
    oauth_providers: tuple[OauthAccount, ...]
    is_anonymous: bool
    requires_totp_mfa: bool = False
    last_active_at_millis: int = 0
    restricted_by_admin: bool = False
    restricted_by_admin_reason: str | None = None
    selected_team_id: str | None = None
    selected_team: Any = None

    @property
    def has_personal_team(self) -> bool:
        """As the service makes it at sign-up, where the project says so: named after the user, and selected."""
        name = self.selected_team.get("display_name") if isinstance(self.selected_team, dict) else None
        whose = self.display_name or self.primary_email
        return bool(name == ("Personal Team" if whose is None else f"{whose}'s Team"))


class _Enabled(BaseModel):
    id: str


class _Config(BaseModel):
    credential_enabled: bool
    magic_link_enabled: bool
    enabled_oauth_providers: tuple[_Enabled, ...]


class Project(BaseModel):
    """What the project lets people sign in with. Source: packages/stack-shared/src/interface/crud/projects.ts."""

    model_config = ConfigDict(frozen=True)

    config: _Config

    @property
    def takes_passwords(self) -> bool:
        return self.config.credential_enabled

    @property
    def takes_magic_links(self) -> bool:
        return self.config.magic_link_enabled

    @property
    def providers(self) -> frozenset[str]:
        return frozenset(provider.id for provider in self.config.enabled_oauth_providers)


class Pagination(BaseModel):
    next_cursor: str | None


class Page(BaseModel):
    items: tuple[User, ...]
    pagination: Pagination


def user_in(response: httpx.Response, *, reads: bool) -> User:
    try:
        return User.model_validate(decoded(response))
    except (ValueError, RecursionError):
        if reads:
            raise unintelligible("a user") from None
        raise NoAnswer("the response has another form than promised", ended=True) from None


def page_in(response: httpx.Response) -> Page:
    try:
        return Page.model_validate(decoded(response))
    except (ValueError, RecursionError):
        raise unintelligible("a list of users") from None


def project_in(response: httpx.Response) -> Project:
    try:
        return Project.model_validate(decoded(response))
    except (ValueError, RecursionError):
        raise unintelligible("a project") from None


def decoded(response: httpx.Response) -> Any:
    """The JSON of a response. Raises ValueError and RecursionError. People write their own metadata: pydantic's parser,
    a little faster still, gives up at 200 levels.
    """
    try:
        return orjson.loads(response.content)
    except orjson.JSONDecodeError:  # which also refuses half a surrogate pair, though it is JSON
        return json.loads(response.content)

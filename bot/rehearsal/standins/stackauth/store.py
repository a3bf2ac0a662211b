"""All users of the project: kept in the order of the list, so that a page costs its own length.

A create, a change or a delete happens in one step of the event loop: whole or not at all. Lists are walked from the
cursor on.
"""

import bisect
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from types import MappingProxyType

from .answers import Breakdown, JsonObject, known_error, plain_refusal
from .schema import LARGEST_PAGE
from .users import CheckedBody, ProjectSettings, StoredUser, Team, changed_user, check_password, new_user

OrderKey = tuple[int, str]


class UserStore:
    """`now_millis` and `new_id` are asked at each create; `changed` gets each event after it is stored."""

    def __init__(
        self,
        settings: ProjectSettings,
        *,
        now_millis: Callable[[], int],
        new_id: Callable[[], str],
        changed: Callable[[str, StoredUser], None],
    ) -> None:
        self._settings = settings
        self._now_millis = now_millis
        self._new_id = new_id
        self._changed = changed
        self._users: dict[str, StoredUser] = {}
        self._order: list[OrderKey] = []
        self._auth_emails: dict[str, str] = {}
        self._identities: dict[tuple[str, str], str] = {}
        self.teams: dict[str, Team] = {}

    @property
    def users(self) -> Mapping[str, StoredUser]:
        return MappingProxyType(self._users)

    def create(self, body: CheckedBody) -> StoredUser:
        user = new_user(
            body,
            self._settings,
            user_id=self._new_id(),
            now_millis=self._now_millis(),
            email_taken=self._auth_emails.__contains__,
            identity_taken=lambda provider, account_id: (provider, account_id) in self._identities,
        )
        self._put(user)
        if self._settings.personal_teams:
            self._give_team(user)
        self._changed("user.created", user)
        return user

    def _give_team(self, user: StoredUser) -> None:
        whose = user.display_name or (user.primary.value if user.primary else None)
        name = "Personal Team" if whose is None else f"{whose}'s Team"
        user.selected_team = Team(id=self._new_id(), display_name=name, created_at_millis=self._now_millis())
        self.teams[user.selected_team.id] = user.selected_team

    def get(self, user_id: str) -> StoredUser:
        user = self._users.get(user_id.lower())
        if user is None:
            raise known_error(404, "USER_NOT_FOUND", "User not found.")
        return user

    def by_auth_email(self, email: str) -> StoredUser | None:
        """Whoever signs in by this address, as it is stored."""
        return self._users.get(self._auth_emails.get(email, ""))

    def was_active(self, user_id: str) -> None:
        """By id, since a change between the question and now has put another object in the user's place."""
        self.get(user_id).last_active_at_millis = self._now_millis()

    def update(self, user_id: str, body: CheckedBody) -> StoredUser:
        check_password(body)  # the service looks at a password before it looks for the user it belongs to
        old = self.get(user_id)
        user = changed_user(
            old,
            body,
            self._settings,
            now_millis=self._now_millis(),
            email_taken=self._auth_emails.__contains__,
        )
        if any(self._auth_emails.get(email, user.id) != user.id for email in _auth_emails(user)):
            raise Breakdown(retried=True)
        self._take_out(old)
        self._put(user)
        self._changed("user.updated", user)
        return user

    def delete(self, user_id: str) -> None:
        """The user's team stays."""
        user = self.get(user_id)
        self._take_out(user)
        self._changed("user.deleted", user)

    def page(self, query: Mapping[str, str]) -> JsonObject:
        """One page by a query that passed the schema."""
        limit = int(float(query["limit"])) if "limit" in query else None
        cursor = self._users.get(query["cursor"].lower()) if "cursor" in query else None
        # A cursor whose user is gone finds nothing, and no next one: the database has no row to start from.
        nowhere = "cursor" in query and cursor is None
        walk = iter(()) if nowhere else self._walk(query, cursor)
        new = self._settings.generation == "new"
        enough = limit + 1 if limit is not None else LARGEST_PAGE + 1 if new else None
        found = list(islice(filter(self._visible(query), walk), enough))
        if limit is None and new and len(found) == enough:
            raise plain_refusal(400, f"limit is required when more than {LARGEST_PAGE} users match")
        shown, next_cursor = found[:limit], None
        if limit is not None and len(found) > limit:
            # The new generation names the last row shown, the old one the first row to come.
            next_cursor = shown[-1].id if new else found[limit].id
        return {
            "items": [user.as_json(self._settings) for user in shown],
            "is_paginated": True,
            "pagination": {"next_cursor": next_cursor},
        }

    def _walk(self, query: Mapping[str, str], cursor: StoredUser | None) -> Iterator[StoredUser]:
        keys = self._order
        backwards = query.get("desc") == "true"
        exclusive = self._settings.generation == "new"
        if cursor is None:
            positions = range(len(keys))[::-1] if backwards else range(len(keys))
        else:
            here = bisect.bisect_left(keys, (cursor.signed_up_at_millis, cursor.id))
            positions = range(here - exclusive, -1, -1) if backwards else range(here + exclusive, len(keys))
        return (self._users[keys[position][1]] for position in positions)

    def _visible(self, query: Mapping[str, str]) -> Callable[[StoredUser], bool]:
        with_anonymous = query.get("include_anonymous") == "true"
        with_restricted = with_anonymous or query.get("include_restricted") == "true"

        def visible(user: StoredUser) -> bool:
            if user.is_anonymous:
                return with_anonymous
            return with_restricted or user.restricted_reason(self._settings) is None

        return visible

    def _put(self, user: StoredUser) -> None:
        self._users[user.id] = user
        bisect.insort(self._order, (user.signed_up_at_millis, user.id))
        self._auth_emails.update(dict.fromkeys(_auth_emails(user), user.id))
        for identity in user.oauth_identities:
            self._identities[identity.provider, identity.account_id] = user.id

    def _take_out(self, user: StoredUser) -> None:
        del self._users[user.id]
        del self._order[bisect.bisect_left(self._order, (user.signed_up_at_millis, user.id))]
        for email in _auth_emails(user):
            del self._auth_emails[email]
        for identity in user.oauth_identities:
            del self._identities[identity.provider, identity.account_id]


def _auth_emails(user: StoredUser) -> list[str]:
    return [channel.value for channel in user.channels if channel.used_for_auth]

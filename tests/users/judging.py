"""A judge of who was migrated: by the rows of the source, the two files that the step left, and what the service
holds. It shares nothing with the step, and takes the reasons from docs/users.md, as people do.

`Judge.complaints` are sentences; none means that all is as it should be:

- everybody exported is in the mapping once, to a user of their own, or unmapped with a reason;
- whoever could sign in at Supabase can sign in as the mapped user, or has a reason that says why not;
- nobody can sign in as a mapped user with what Supabase does not have for them, unless a reason says so;
- what the service holds of somebody is what was exported, or a reason says what is missing;
- no reason is untrue.
"""

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from bot.rehearsal.standins.stackauth import StackAuthStandin
from tests.users.judged import SAME_PERSON, Judged, account_in, borne, differences, email_in, from_base32, is_cut
from tests.users.random_people import Person, Source, as_json

DOCS = Path(__file__).parents[2] / "docs" / "users.md"


def documented() -> dict[str, tuple[str, str, bool]]:
    """By reason: what is carried, what is left to do, and whether such a user is mapped."""
    table = DOCS.read_text().split("<!-- generated: reasons -->")[1].split("<!-- end -->")[0]
    rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if "| `" in line)
    return {name.strip("`"): (carried, todo, where != "unmapped") for name, carried, todo, where in rows}


REASONS = documented()
UNMAPPED = {name for name, (_, _, is_mapped) in REASONS.items() if not is_mapped}
EMPTIED = {"refused-by-target", "not-updated", "deleted"}
NO_ADDRESS = {
    "email-refused",
    "email-taken-by-another",
    "email-taken-in-target",
    "email-moved",
    "sso-user",
    "anonymous",
}
EXPLAINS = {
    "password": NO_ADDRESS | EMPTIED | {"hash-not-bcrypt"},
    "address": NO_ADDRESS | EMPTIED | {"magic-link-off"},
    "phone": EMPTIED | {"phone-only", "phone-not-carried"},
    "passkey": EMPTIED | {"passkey-not-carried"},
    "company": EMPTIED | {"sso-user"},
    "account": EMPTIED
    | {
        "identity-not-carried",
        "second-identity-not-carried",
        "identity-taken-by-another",
        "identity-taken-in-target",
        "identity-moved",
        "identity-added-since",
    },
    "second factor": EMPTIED | {"totp-not-carried", "second-totp-not-carried", "second-factor-not-carried"},
}
"""The way in at Supabase -> the reasons that say that it is closed now."""


class Judge:
    def __init__(
        self,
        directory: Path,
        source: Source,
        service: StackAuthStandin,
        *,
        passwords: dict[str, str],
        at: datetime,
        used: frozenset[str] = frozenset(),
        magic_links: bool = True,
    ) -> None:
        """`used` are users of the service, by its ids, who have changed themselves since an earlier night."""
        self._service = service
        self._source = source
        self._passwords = passwords
        self._at = at
        self._used = used
        self._magic_links = magic_links
        self._mapping = json.loads((directory / "user-mapping.json").read_text())
        self._attention = json.loads((directory / "user-attention.json").read_text())
        self._people = {person.id: person for person in source.people}
        self._by_account = {
            (account.provider, account.account_id): user
            for user in service.users.values()
            for account in user.oauth_identities
        }
        self._by_address = {
            channel.value: user for user in service.users.values() for channel in user.channels if channel.used_for_auth
        }
        self._reasons: dict[str, set[str]] = {}
        for entry in self._entries():
            self._reasons.setdefault(entry["id"], set()).add(entry["reason"])

    def _entries(self) -> list[dict[str, str]]:
        found = self._attention
        return list(found if isinstance(found, list) else found["users"])

    @property
    def met(self) -> set[str]:
        """The reasons that are listed."""
        return {reason for reasons in self._reasons.values() for reason in reasons}

    def complaints(self) -> list[str]:
        return [*self._of_the_list(), *self._of_the_mapping(), *self._of_everybody()]

    # -- the files ----------------------------------------------------------------------------------------------------

    def _of_the_list(self) -> Iterator[str]:
        entries = self._entries()
        pairs = [(entry["id"], entry["reason"]) for entry in entries]
        if len(pairs) != len(set(pairs)):
            yield "somebody is listed twice for one reason"
        for entry in entries:
            id_, reason = entry["id"], entry["reason"]
            if reason not in REASONS:
                yield f"{id_}: {reason} is not in docs/users.md"
                continue
            carried, todo, _ = REASONS[reason]
            if entry["carried"] != carried or not entry["todo"].startswith(todo):
                yield f"{id_}: {reason} is listed with other words than in docs/users.md"
            if reason in {"email-moved", "identity-moved", "match-undecided"} and entry["todo"] == todo:
                yield f"{id_}: {reason} does not name whom it is about"
            if (reason == "gone-from-source") != (id_ not in self._people):
                yield f"{id_}: {reason}, but the export says otherwise"

    def _of_the_mapping(self) -> Iterator[str]:
        mapped, unmapped = self._mapping["mappings"], self._mapping["unmapped"]
        ids = [entry["supabaseUserId"] for entry in (*mapped, *unmapped)]
        if sorted(ids) != sorted(self._people):
            yield "the mapping does not have everybody exactly once"
        targets = [entry["stackAuthUserId"] for entry in mapped]
        if len(targets) != len(set(targets)):
            yield "two users share a target"
        for entry in unmapped:
            reasons = self._reasons.get(entry["supabaseUserId"], set())
            if entry["reason"] not in UNMAPPED or reasons != {entry["reason"]}:
                yield f"{entry['supabaseUserId']}: unmapped for {entry['reason']}, listed for {sorted(reasons)}"
            if entry["referencedBy"] != {"orders.customer_id": 2}:
                yield f"{entry['supabaseUserId']}: unmapped, and not said what refers to it"
        listed = {id_ for id_ in self._reasons if id_ in self._people}
        counts = self._mapping["counts"]
        told = (counts["users"], counts["unmapped"], counts["attention"])
        if told != (len(self._people), len(unmapped), len(self._reasons)):
            yield f"the counts say {told}, of {len(listed)} listed"
        bearers: dict[str, int] = {}
        for user in self._service.users.values():
            bearers[borne(user)] = bearers.get(borne(user), 0) + 1
        for id_ in self._people:
            if bearers.get(id_, 0) > 1:
                yield f"{id_}: created more than once"

    def judged(self) -> Iterator[Judged]:
        """Those whom we migrated; who was matched with somebody of the service's own is left alone."""
        for entry in self._mapping["mappings"]:
            id_ = entry["supabaseUserId"]
            stored = self._service.users.get(entry["stackAuthUserId"])
            if stored is not None and borne(stored) == id_:
                reasons = frozenset(self._reasons.get(id_, ()))
                yield Judged(person=self._people[id_], stored=stored, reasons=reasons)

    def _of_everybody(self) -> Iterator[str]:
        ours = set()
        for judged in self.judged():
            ours.add(judged.person.id)
            for complaint in (
                *self._closed_ways(judged),
                *self._open_ways(judged),
                *self._differences(judged),
                *self._untrue(judged),
            ):
                row, listed = judged.person.row, sorted(judged.reasons)
                yield f"{judged.person.id}: {complaint} (reasons {listed}, row {row!r:.700})"
        for entry in self._mapping["mappings"]:
            id_, stored = entry["supabaseUserId"], self._service.users.get(entry["stackAuthUserId"])
            if stored is None:
                yield f"{id_}: mapped to nobody"
            elif id_ not in ours and (entry["outcome"] != "matched" or borne(stored)):
                yield f"{id_}: mapped to a user who bears {borne(stored) or 'no id'}, as {entry['outcome']}"

    # -- the ways in --------------------------------------------------------------------------------------------------

    def _closed_ways(self, judged: Judged) -> Iterator[str]:
        """Of Supabase, without a reason that says so."""
        for way, is_open in self._ways(judged):
            if not is_open and judged.reasons.isdisjoint(EXPLAINS[way]):
                yield f"the {way} signs nobody in any more, and no reason says so"
        has_way = judged.signs_in_by_address or judged.held
        said = {"phone-only", "sso-user", "anonymous", "deleted", "email-refused", "refused-by-target", "not-updated"}
        said |= {"no-sign-in-method", "email-taken-by-another", "email-taken-in-target", "email-moved"}
        if not has_way and judged.reasons.isdisjoint(said | EXPLAINS["account"]):
            yield "nobody can sign in as this user, and no reason says so"

    def _ways(self, judged: Judged) -> Iterator[tuple[str, bool]]:
        """What signs the person in at Supabase, and whether it does so in the service, as the mapped user."""
        row, stored = judged.person.row, judged.stored
        if row["deleted_at"] is not None or row["is_anonymous"]:
            return
        by_address = self._by_address.get(judged.address or "") is stored
        password = self._passwords.get(row["encrypted_password"] or "")
        if row["email"] and row["encrypted_password"] and not row["is_sso_user"]:
            is_open = by_address and password is not None and stored.password_hash == row["encrypted_password"]
            yield "password", is_open
        if row["email"] and row["email_confirmed_at"] and not row["is_sso_user"]:
            verified = bool(stored.primary and stored.primary.verified)
            other_ways = bool(stored.password_hash or judged.held)  # the service adds the magic link at its first use
            yield "address", by_address and verified and (stored.otp_auth_enabled or other_ways)
        if row["phone"]:
            yield "phone", False
        if judged.person.passkeys:
            yield "passkey", False
        for identity in judged.person.identities:
            if identity["provider"].startswith("sso:"):
                yield "company", False
            elif identity["provider"] not in {"email", "phone"}:
                account = account_in(identity)
                yield "account", account is not None and self._by_account.get(account) is stored
        if judged.apps:
            secrets = {from_base32(app["secret"]) for app in judged.apps}
            yield "second factor", stored.requires_totp_mfa and stored.totp_secret_base64 in secrets

    def _open_ways(self, judged: Judged) -> Iterator[str]:
        """Of the service, which Supabase does not have."""
        row, stored, reasons = judged.person.row, judged.stored, judged.reasons
        if "not-updated" in reasons or stored.id in self._used:
            return
        closed = row["deleted_at"] is not None or row["is_sso_user"] or row["is_anonymous"]
        for channel in stored.channels:
            if channel.used_for_auth and (closed or channel.value != judged.address):
                yield f"{channel.value} signs in as this user"
        if stored.password_hash not in {None, row["encrypted_password"]} or stored.password is not None:
            yield "there is another password"
        if row["deleted_at"] is not None and (stored.has_password or stored.otp_auth_enabled or stored.primary):
            yield "deleted, and not emptied"
        if stored.primary and stored.primary.verified and not row["email_confirmed_at"]:
            yield "the address counts as verified"
        if stored.otp_auth_enabled and not (row["email_confirmed_at"] and stored.primary and not closed):
            yield "there is a magic link"
        of_the_source = set() if row["deleted_at"] is not None else judged.accounts
        if judged.held - of_the_source and "identity-removed-since" not in reasons:
            yield f"{judged.held - of_the_source} sign in as this user"
        if stored.requires_totp_mfa and not judged.apps:
            yield "a second factor is demanded that the person does not have"

    # -- what is held -------------------------------------------------------------------------------------------------

    def _differences(self, judged: Judged) -> Iterator[str]:
        row, stored, reasons = judged.person.row, judged.stored, judged.reasons
        if not reasons.isdisjoint(EMPTIED) or stored.id in self._used:
            return
        if stored.is_anonymous != row["is_anonymous"]:
            yield "is_anonymous differs"
        if stored.restricted_by_admin != self._is_banned(row):
            yield "the ban differs"
        if stored.primary is not None and stored.primary.value != judged.address:
            yield "the address differs"
        if stored.primary is None and judged.address and "email-refused" not in reasons:
            yield "the address is missing"
        yield from self._profile(judged)
        losses: set[str] = set()
        if "client-metadata-not-carried" not in reasons:
            yield from differences(row["raw_user_meta_data"], stored.client_metadata, losses, "client_metadata")
        marker = stored.server_metadata["supabase"]  # type: ignore[index,call-overload]
        if "app-metadata-moved" in reasons:
            shown = marker["appMetadata"]
        else:
            shown = {key: item for key, item in stored.server_metadata.items() if key != "supabase"}  # type: ignore[union-attr]
        yield from differences(row["raw_app_meta_data"] or {}, shown, losses, "server_metadata")
        for reason in losses - reasons:
            yield f"something in the metadata is lost without {reason}"
        if marker.get("phone") != (row["phone"] or None) or marker["createdAt"] != row["created_at"]:
            yield "the marker does not have phone and sign-up"

    def _profile(self, judged: Judged) -> Iterator[str]:
        written, stored = judged.person.row["raw_user_meta_data"], judged.stored
        written = written if isinstance(written, dict) else {}

        def first(*keys: str) -> str | None:
            texts = (written.get(key) for key in keys)
            return next((text.strip() for text in texts if isinstance(text, str) and text.strip()), None)

        name = first("display_name", "full_name", "name", "user_name", "preferred_username")
        if stored.display_name != name:
            is_start = name is not None and stored.display_name and name.startswith(stored.display_name)
            if not is_start or "display-name-cut" not in judged.reasons:
                yield f"the name is {stored.display_name!r}"
        picture = first("avatar_url", "picture")
        shown = stored.profile_image_url
        uploaded = (
            shown is not None and shown.startswith("https://images.invalid/") and str(picture).startswith("data:")
        )
        if shown != picture and not uploaded and (shown or "picture-not-carried" not in judged.reasons):
            yield f"the picture is {shown!r}"

    def _is_banned(self, row: dict[str, Any]) -> bool:
        until = row["banned_until"]
        if until is None or until.endswith("BC") or until == "-infinity":
            return False
        return until == "infinity" or int(until.partition("-")[0]) > self._at.year

    # -- the reasons --------------------------------------------------------------------------------------------------

    def _untrue(self, judged: Judged) -> Iterator[str]:
        if judged.reasons & {"not-updated", "refused-by-target"} or judged.stored.id in self._used:
            return  # what the user is in Supabase is reported beside the one reason for what is here
        truth = self._truth(judged)
        for reason in judged.reasons:
            if reason in UNMAPPED or not truth[reason]():
                yield f"{reason} is not true"

    def _truth(self, judged: Judged) -> dict[str, Callable[[], Any]]:
        person, stored = judged.person, judged.stored
        row, written = person.row, person.row["raw_user_meta_data"]
        holder = self._by_address.get(judged.address or "")
        missing = judged.accounts - judged.held
        there = [self._by_account[account] for account in missing if account in self._by_account]
        kept = {(a.provider, a.account_id): a.email for a in stored.oauth_identities}
        kept_out = bool(stored.primary) and not judged.signs_in_by_address
        names = [SAME_PERSON.get(identity["provider"]) for identity in person.identities]
        verified = [factor for factor in person.factors if factor["status"] == "verified"]

        def other_address() -> bool:
            said = [i for i in person.identities if account_in(i) in kept]
            return any(kept[account_in(i)] != (email_in(i) or None) for i in said)  # type: ignore[index]

        return {
            "phone-only": lambda: row["phone"] and not row["email"] and not judged.held,
            "phone-not-carried": lambda: row["phone"],
            "banned": lambda: self._is_banned(row),
            "sso-user": lambda: row["is_sso_user"],
            "anonymous": lambda: row["is_anonymous"],
            "deleted": lambda: row["deleted_at"] is not None,
            "hash-not-bcrypt": lambda: row["encrypted_password"] not in self._passwords and not stored.password_hash,
            "email-refused": lambda: row["email"] and stored.primary is None,
            "email-taken-by-another": lambda: kept_out and self._sharing(judged),
            "email-taken-in-target": lambda: kept_out and not (holder and borne(holder)),
            "email-moved": lambda: kept_out and not (holder and not borne(holder)),
            "totp-not-carried": lambda: judged.apps and not stored.requires_totp_mfa,
            "second-totp-not-carried": lambda: len(judged.apps) > 1,
            "passkey-not-carried": lambda: person.passkeys,
            "second-factor-not-carried": lambda: any(factor["factor_type"] != "totp" for factor in verified),
            "identity-not-carried": lambda: any(
                account_in(i) is None and i["provider"] not in {"email", "phone"} for i in person.identities
            ),
            "second-identity-not-carried": lambda: any(name and names.count(name) > 1 for name in names),
            "identity-taken-by-another": lambda: any(self._claimed_too(account, person) for account in judged.accounts),
            "identity-taken-in-target": lambda: missing and any(not borne(user) for user in there),
            "identity-moved": lambda: any(borne(user) for user in there) or missing - self._by_account.keys(),
            "identity-removed-since": lambda: (
                judged.held - judged.accounts
                or row["deleted_at"] is not None
                or any(self._claimed_too(account, person) for account in judged.held)
            ),
            "identity-changed-since": other_address,
            "identity-added-since": lambda: missing,
            "magic-link-off": lambda: not self._magic_links,
            "no-sign-in-method": lambda: not judged.signs_in_by_address and not judged.held & judged.accounts,
            "display-name-cut": lambda: len((stored.display_name or "").encode("utf-16-le")) > 2 * 254,
            "picture-not-carried": lambda: stored.profile_image_url is None,
            "metadata-rounded": lambda: re.search(r"\d{16}|[eE]", as_json([written, row["raw_app_meta_data"]])),
            "metadata-cut": lambda: is_cut(row),
            "client-metadata-not-carried": lambda: stored.client_metadata is None and written,
            "app-metadata-moved": lambda: "appMetadata" in stored.server_metadata["supabase"],  # type: ignore[index,operator,call-overload]
            "refused-by-target": lambda: not stored.channels and not stored.has_password and not stored.display_name,
            "not-updated": lambda: True,
        }

    def _sharing(self, judged: Judged) -> bool:
        return any(
            other.id != judged.person.id and (other.row["email"] or "").strip().lower() == judged.address
            for other in self._source.people
        )

    def _claimed_too(self, account: tuple[str, str], person: Person) -> bool:
        return any(
            account_in(identity) == account
            for other in self._source.people
            if other is not person
            for identity in other.identities
        )

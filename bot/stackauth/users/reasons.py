"""Why a user was migrated incompletely: the table of attention reasons.

Each reason says what was migrated all the same and what is left for a person to do. A user may have several. Every user
gets a target user, so that no reference to it is orphaned; the exceptions are marked `creates=False` and are in the
mapping's `unmapped`. The names are what people `accept`; they are a promise and never change their meaning.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Reason:
    """`carried` and `todo` are sentences; `creates` says whether the user exists in the target."""

    name: str
    carried: str
    todo: str
    creates: bool = True


_NO_SIGN_IN = "Ask the person for an address and set it in Stack Auth. Until then nobody can sign in as this user."

_TABLE = (
    Reason(
        name="phone-only",
        carried="A user without sign-in method; the phone number is in server metadata under supabase.phone.",
        todo="Stack Auth has no sign-in by phone. " + _NO_SIGN_IN,
    ),
    Reason(
        name="phone-not-carried",
        carried="All but the sign-in by phone; the number is in server metadata under supabase.phone.",
        todo="Nothing, unless the person signed in only by phone: tell them to use their other sign-in method.",
    ),
    Reason(
        name="banned",
        carried="All. The user is restricted, with the end of the ban as the reason.",
        todo="Lift the restriction when the ban ends: it does not end by itself.",
    ),
    Reason(
        name="sso-user",
        carried="A user without sign-in method. The address is there, but nobody signs in with it.",
        todo="Set up the company's single sign-on as a provider in Stack Auth and ask the person to link to it. A "
        "sign-in by the address alone creates a new user.",
    ),
    Reason(
        name="anonymous",
        carried="An anonymous user; its session in the browser ends with Supabase.",
        todo="Keep it for the rows that refer to it, or delete it later: nobody can sign in as this user again.",
    ),
    Reason(
        name="deleted",
        carried="An empty, restricted user without sign-in method, for the rows that refer to it.",
        todo="Delete it in Stack Auth when nothing refers to it: it was deleted in Supabase.",
    ),
    Reason(
        name="hash-not-bcrypt",
        carried="All but the password: Stack Auth cannot check its hash (argon2, scrypt, encrypted or unknown).",
        todo="Ask the person to set a new password. With a verified address they can sign in by magic link until then.",
    ),
    Reason(
        name="email-refused",
        carried="All but the address, which Stack Auth refuses; it is in server metadata under supabase.email.",
        todo=_NO_SIGN_IN,
    ),
    Reason(
        name="email-taken-by-another",
        carried="All. The address does not sign in: another exported user has the same one in other letters.",
        todo="Decide with the person which of the two users is theirs, then merge or delete the other. Until then a "
        "sign-in by the address reaches the other user, or creates a new one.",
    ),
    Reason(
        name="email-taken-in-target",
        carried="All. The address does not sign in: somebody in Stack Auth signs in with it already.",
        todo="Decide whether the two are one person. If so, give that user the rows; if not, change one address. "
        "Until then a sign-in by the address reaches the other user, or creates a new one.",
    ),
    Reason(
        name="email-moved",
        carried="All. The address does not sign in: another user, created in an earlier night, still signs in with it.",
        todo="If that user is gone from Supabase, delete it in Stack Auth, then let this one sign in by the address. "
        "If it belongs to another Supabase project, decide whose address it is.",
    ),
    Reason(
        name="totp-not-carried",
        carried="All but the authenticator app: its secret was left out, could not be read or was refused.",
        todo="Ask the person to set up the second factor again: until then they sign in without it.",
    ),
    Reason(
        name="second-totp-not-carried",
        carried="All. Of several authenticator apps, only the one used last: Stack Auth keeps one.",
        todo="Tell the person which app gives the codes from now on.",
    ),
    Reason(
        name="passkey-not-carried",
        carried="All but the passkeys: each is bound to Supabase's domain, and nobody can set one for somebody else.",
        todo="Ask the person to sign in by another method and set up a passkey again. Who has no other method is "
        "listed as no-sign-in-method too.",
    ),
    Reason(
        name="second-factor-not-carried",
        carried="All but a second factor by phone or security key.",
        todo="Ask the person to set up a second factor again: until then they sign in without it.",
    ),
    Reason(
        name="sign-in-data-unread",
        carried="All that could be read. A table of accounts at providers, second factors or passkeys was left out of "
        "the export unread: metadata.json names it under leftOut. Whether this user had any is not known.",
        todo="Grant the bot's role SELECT on that table and export again, or tell people to set these up again: until "
        "then whoever had a second factor signs in without it.",
    ),
    Reason(
        name="identity-not-carried",
        carried="All but an account at a provider: Stack Auth does not have the provider or knows people there by "
        "another id, or the export lacks the person's id.",
        todo="Ask the person to sign in by another method, or set up the provider and ask them to link it.",
    ),
    Reason(
        name="second-identity-not-carried",
        carried="All. Of several accounts at one provider, only the one used last: Stack Auth keeps one a provider.",
        todo="Tell the person which account signs them in from now on.",
    ),
    Reason(
        name="identity-taken-by-another",
        carried="All but an account at a provider: another exported user signs in with it.",
        todo="Decide with the person which of the two users is theirs.",
    ),
    Reason(
        name="identity-taken-in-target",
        carried="All but the accounts at providers: somebody in Stack Auth signs in with one of them already.",
        todo="Decide whether the two are one person. If not, ask the person to link another account.",
    ),
    Reason(
        name="identity-moved",
        carried="All but the accounts at providers: another user, created in an earlier night, still has one of them "
        "in Stack Auth.",
        todo="Remove that account from the other user in Stack Auth, then ask the person to link it here.",
    ),
    Reason(
        name="identity-removed-since",
        carried="All. An account at a provider stays in Stack Auth, though Supabase no longer has it for this user.",
        todo="If it was unlinked or belongs to another user now, remove it in Stack Auth: it still signs in as this "
        "user. If the person has linked it in Stack Auth, leave it.",
    ),
    Reason(
        name="identity-changed-since",
        carried="All but the address that a provider gives for an account: Stack Auth keeps the old one.",
        todo="Correct the address in Stack Auth if the app shows it. Signing in works without that.",
    ),
    Reason(
        name="identity-added-since",
        carried="All but an account at a provider that was added after the night in which this user was created.",
        todo="Ask the person to link the account again: the bot cannot add one to an existing user.",
    ),
    Reason(
        name="magic-link-off",
        carried="All but the sign-in by magic link, which is off in the Stack Auth project.",
        todo="Switch magic links on in the project. A verified address can then sign in by its first link.",
    ),
    Reason(
        name="no-sign-in-method",
        carried="A user without sign-in method: there was no password, provider or verified address to migrate.",
        todo="Invite the person again from the new system: a sign-in by the address creates a new user.",
    ),
    Reason(
        name="display-name-cut",
        carried="All, with the first 256 characters of the name; client metadata has the whole name.",
        todo="Nothing, unless the name matters: ask the person for a shorter one.",
    ),
    Reason(
        name="picture-not-carried",
        carried="All but the picture, which Stack Auth refuses; it is in raw_user_meta_data.",
        todo="Nothing, unless the picture matters: ask the person to upload it again.",
    ),
    Reason(
        name="metadata-rounded",
        carried="All, with rounded numbers in the metadata: JavaScript holds 17 digits, and Stack Auth's database may "
        "keep 16. Near the largest or smallest number, a value becomes null or 0.",
        todo="If an exact number matters, read it from auth_users.json and store it as text.",
    ),
    Reason(
        name="metadata-cut",
        carried="All but metadata nested more than 100 levels deep or under a key `__proto__`, which Stack Auth drops.",
        todo="Read the whole from auth_users.json if anything needs it.",
    ),
    Reason(
        name="client-metadata-not-carried",
        carried="All but the client metadata: Stack Auth refused the user with it.",
        todo="Find in raw_user_meta_data of auth_users.json what Stack Auth refuses, and set the rest by hand.",
    ),
    Reason(
        name="app-metadata-moved",
        carried="All. The app metadata is in server metadata under supabase.appMetadata.",
        todo="Read it there: it is not an object, or its own key `supabase` would hide the bot's.",
    ),
    Reason(
        name="refused-by-target",
        carried="An empty user for the rows that refer to it: Stack Auth refused the complete one.",
        todo="Compare the user in auth_users.json with Stack Auth's rules and complete it by hand.",
    ),
    Reason(
        name="not-updated",
        carried="The user as an earlier night left it: Stack Auth refused the changes since then.",
        todo="Compare the user in auth_users.json with Stack Auth and fix the difference by hand.",
    ),
    Reason(
        name="match-undecided",
        carried="Nothing: a user in Stack Auth has the same address or account and may be the same person or not.",
        todo="Say `decide ID match STACK_ID`, `decide ID create` or `decide ID skip` to the bot, then `retry`.",
        creates=False,
    ),
    Reason(
        name="decision-impossible",
        carried="Nothing: the Stack Auth user in the decision is not there or belongs to somebody else.",
        todo="Say another `decide` for this user to the bot, then `retry`.",
        creates=False,
    ),
    Reason(
        name="skipped",
        carried="Nothing: a person decided to leave this user out.",
        todo="Decide in the import what becomes of the rows that refer to it.",
        creates=False,
    ),
    Reason(
        name="not-in-target",
        carried="Nothing: no user in Stack Auth is this person for certain, and the mode `match` creates nobody.",
        todo="Create the user in Stack Auth, or say `decide ID match STACK_ID` to the bot; then say `retry`.",
        creates=False,
    ),
    Reason(
        name="gone-from-source",
        carried="A user whom an earlier night created and who is not in this export; the bot changed nothing of it.",
        todo="If the person was deleted in Supabase since, delete the user in Stack Auth too: it can still sign in.",
    ),
    Reason(
        name="not-created",
        carried="Nothing: Stack Auth refused even an empty user.",
        todo="Create the user by hand and add it to the mapping before the import.",
        creates=False,
    ),
)
REASONS = {reason.name: reason for reason in _TABLE}

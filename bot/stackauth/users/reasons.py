"""Why a user could not be carried over whole: the table of attention reasons.

Each reason says what was carried over all the same and what is left for a person to do. A user may have several. Every
user gets a target user, so that no reference to it is orphaned; the exceptions are marked `creates=False` and stand in
the mapping's `unmapped`. The names are what people `accept`; they are a promise and never change their meaning.
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


_NO_WAY_IN = "Ask the person for an address and set it in Stack Auth; until then nobody can sign in as this user."

_TABLE = (
    Reason(
        name="phone-only",
        carried="A user without sign-in method; the phone number stands in server metadata under supabase.phone.",
        todo="Stack Auth has no sign-in by phone. " + _NO_WAY_IN,
    ),
    Reason(
        name="phone-not-carried",
        carried="All but the sign-in by phone; the number stands in server metadata under supabase.phone.",
        todo="Nothing, unless the person signed in by phone alone: tell them to use their other way in.",
    ),
    Reason(
        name="banned",
        carried="All, and restricted by an administrator, with the end of the ban as the reason.",
        todo="A restriction does not end by itself: lift it when the ban ends.",
    ),
    Reason(
        name="sso-user",
        carried="A user without sign-in method; the address is there, but nobody signs in with it.",
        todo="Set up the company's single sign-on as a provider in Stack Auth and let the person link to it: a sign-in "
        "by the address alone makes a new user.",
    ),
    Reason(
        name="anonymous",
        carried="An anonymous user; its session in the browser ends with Supabase.",
        todo="Nobody can sign in as this user again: keep it for the rows that refer to it, or delete it later.",
    ),
    Reason(
        name="deleted",
        carried="An empty user without sign-in method, restricted, for the rows that refer to it.",
        todo="It was deleted in Supabase: delete it in Stack Auth when nothing refers to it.",
    ),
    Reason(
        name="hash-not-bcrypt",
        carried="All but the password, whose hash (argon2, scrypt, encrypted or unknown) Stack Auth cannot check.",
        todo="Ask the person to set a new password; with a verified address they can sign in by magic link meanwhile.",
    ),
    Reason(
        name="email-refused",
        carried="All but the address, which Stack Auth refuses; it stands in server metadata under supabase.email.",
        todo=_NO_WAY_IN,
    ),
    Reason(
        name="email-taken-by-another",
        carried="The address too, but not for signing in: another exported user has the same one in other letters.",
        todo="Decide with the person which of the two users is theirs; merge or delete the other. By the "
        "address nobody reaches this one: it signs in the other, or a new user.",
    ),
    Reason(
        name="email-taken-in-target",
        carried="The address too, but not for signing in: somebody in Stack Auth signs in with it already.",
        todo="Decide whether the two are one person; then give the rows to that one, or change an address. By "
        "the address nobody reaches this one: it signs in the other, or a new user.",
    ),
    Reason(
        name="email-moved",
        carried="The address too, but not for signing in: another user of yours, whom an earlier night created, still "
        "signs in with it.",
        todo="If that user is gone from Supabase, delete it in Stack Auth, then let this one sign in by the address. "
        "If it is of another Supabase project, decide which of the two is the person's.",
    ),
    Reason(
        name="totp-not-carried",
        carried="All but the authenticator app, whose secret was left out, could not be read or was refused.",
        todo="The person can sign in without the second factor: ask them to set it up again.",
    ),
    Reason(
        name="second-totp-not-carried",
        carried="All, with the authenticator app used last of several: Stack Auth keeps one.",
        todo="Tell the person which app gives the codes from now on.",
    ),
    Reason(
        name="passkey-not-carried",
        carried="All but the passkeys: nobody can set one for somebody else, and each is bound to Supabase's domain.",
        todo="Ask the person to sign in by their other way and set up a passkey again; who has no other way is listed "
        "as no-sign-in-method too.",
    ),
    Reason(
        name="second-factor-not-carried",
        carried="All but a second factor by phone or security key.",
        todo="The person can sign in without the second factor: ask them to set one up again.",
    ),
    Reason(
        name="identity-not-carried",
        carried="All but a sign-in by a provider that Stack Auth does not have or knows people by another id at, or "
        "whose id of the person is not in the export.",
        todo="Ask the person to sign in by their other way, or set up the provider and let them link it.",
    ),
    Reason(
        name="second-identity-not-carried",
        carried="All, with the account used last of several at one provider: Stack Auth keeps one a provider.",
        todo="Tell the person which account signs them in from now on.",
    ),
    Reason(
        name="identity-taken-by-another",
        carried="All but an account at a provider that another exported user signs in with.",
        todo="Decide with the person which of the two users is theirs.",
    ),
    Reason(
        name="identity-taken-in-target",
        carried="All but the accounts at providers, one of which somebody in Stack Auth signs in with already.",
        todo="Decide whether the two are one person; if not, ask the person to link another account.",
    ),
    Reason(
        name="identity-moved",
        carried="All but the accounts at providers, one of which another user of yours, whom an earlier night created, "
        "still has in Stack Auth.",
        todo="Remove that account from the other user in Stack Auth, then ask the person to link it here.",
    ),
    Reason(
        name="identity-removed-since",
        carried="All; an account at a provider, which Supabase no longer has for this user, stays in Stack Auth.",
        todo="If it was unlinked or belongs to another user now, remove it in Stack Auth: it still signs in as this "
        "user. If the person has linked it in Stack Auth, leave it.",
    ),
    Reason(
        name="identity-changed-since",
        carried="All but the address that a provider gives for an account: Stack Auth keeps the one that it has.",
        todo="Nothing to sign in with is missing. Where the app shows that address, correct it in Stack Auth.",
    ),
    Reason(
        name="identity-added-since",
        carried="All but an account at a provider that was added after the night in which this user was created.",
        todo="Ask the person to link the account again: it cannot be added to a user who is there.",
    ),
    Reason(
        name="magic-link-off",
        carried="All but the sign-in by magic link, which is off in the Stack Auth project.",
        todo="Switch magic links on in the project: a verified address gets this way in at its first use.",
    ),
    Reason(
        name="no-sign-in-method",
        carried="A user without sign-in method: there was no password, no provider and no verified address to carry.",
        todo="Invite the person again from the new system: a sign-in by the address makes a new user.",
    ),
    Reason(
        name="display-name-cut",
        carried="All, with the first 256 characters of the name; the whole of it stands in the client metadata.",
        todo="Nothing, unless the name matters: ask the person for a shorter one.",
    ),
    Reason(
        name="picture-not-carried",
        carried="All but the picture, which Stack Auth does not take; it stands in raw_user_meta_data.",
        todo="Nothing, unless the picture matters: ask the person to upload it again.",
    ),
    Reason(
        name="metadata-rounded",
        carried="All, with numbers in the metadata rounded: JavaScript holds 17 digits, and Stack Auth's database may "
        "keep 16; what is near the largest or smallest number becomes null or 0.",
        todo="If an exact number matters, read it from auth_users.json and store it as text.",
    ),
    Reason(
        name="metadata-cut",
        carried="All, without what was nested more than 100 levels deep in the metadata or stood under a key "
        "`__proto__`, which Stack Auth drops.",
        todo="Read the whole from auth_users.json if anything needs it.",
    ),
    Reason(
        name="client-metadata-not-carried",
        carried="All but the client metadata: Stack Auth refused the user with it.",
        todo="Find in raw_user_meta_data of auth_users.json what Stack Auth does not take, and set the rest by hand.",
    ),
    Reason(
        name="app-metadata-moved",
        carried="All; the app metadata stands whole in server metadata under supabase.appMetadata.",
        todo="Read it there: it is no object, or has a key `supabase` of its own that would hide the bot's.",
    ),
    Reason(
        name="refused-by-target",
        carried="An empty user for the rows that refer to it: Stack Auth refused the whole one.",
        todo="Compare the user in auth_users.json with Stack Auth's rules and complete it by hand.",
    ),
    Reason(
        name="not-updated",
        carried="The user as an earlier night left it: Stack Auth refused what has changed since.",
        todo="Compare the user in auth_users.json with Stack Auth and fix the difference by hand.",
    ),
    Reason(
        name="match-undecided",
        carried="Nothing: somebody in Stack Auth has the same address or account, and may be the same person or not.",
        todo="Say `decide ID match STACK_ID`, `decide ID create` or `decide ID skip` to the bot, then `retry`.",
        creates=False,
    ),
    Reason(
        name="decision-impossible",
        carried="Nothing: the Stack Auth user who was decided on is not there, or is somebody else's.",
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
        carried="Nothing: nobody in Stack Auth is this user for certain, and in the mode `match` nobody is created.",
        todo="Create the user in Stack Auth and say `retry`, or say `decide ID match STACK_ID` to the bot first.",
        creates=False,
    ),
    Reason(
        name="gone-from-source",
        carried="A user whom an earlier night created, and who is not in this export; nothing of it was changed.",
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

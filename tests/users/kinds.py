"""The stated rule for each kind of user: what is migrated, under which reasons the rest is listed, and whether somebody
can sign in as this user afterwards. A user may be of several kinds; then each of their rules holds.

The table is what docs/users.md shows, and every rule is held by a test against `translate`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Kind:
    """`rule` is a sentence; `reasons` are names of `reasons.REASONS`, none when the user is migrated completely."""

    name: str
    rule: str
    reasons: tuple[str, ...] = ()
    signs_in: bool = True


KINDS = (
    Kind(name="password", rule="A bcrypt hash goes as it is: the person signs in with the password they have."),
    Kind(name="magic link", rule="A verified address without password and provider gets the magic link switched on."),
    Kind(name="account at a provider", rule="It is migrated by the provider's own id of the person."),
    Kind(name="password and provider", rule="Both are migrated."),
    Kind(name="several providers", rule="One account for each provider is migrated."),
    Kind(
        name="several accounts at one provider",
        rule="The one used last is migrated: Stack Auth keeps one a provider.",
        reasons=("second-identity-not-carried",),
    ),
    Kind(name="account without address", rule="It is migrated; the user has no address if Supabase has none."),
    Kind(
        name="provider that Stack Auth knows by another id, or not at all",
        rule="The account stays behind (Azure, Bitbucket, and whatever Stack Auth does not have).",
        reasons=("identity-not-carried",),
    ),
    Kind(
        name="account whose id at the provider is missing",
        rule="The account stays behind: nobody could be recognised by it.",
        reasons=("identity-not-carried",),
    ),
    Kind(
        name="passkey",
        rule="The passkey stays behind; a verified address without password and provider gets the magic link.",
        reasons=("passkey-not-carried",),
    ),
    Kind(
        name="passkey and no other way in",
        rule="A user without sign-in method.",
        reasons=("passkey-not-carried", "no-sign-in-method"),
        signs_in=False,
    ),
    Kind(
        name="unverified address, with password",
        rule="The address goes unverified, and signs in with the password.",
    ),
    Kind(
        name="unverified address, without password or provider",
        rule="The address goes, but not for signing in, so that nobody blocks its owner.",
        reasons=("no-sign-in-method",),
        signs_in=False,
    ),
    Kind(
        name="phone only",
        rule="An empty user; the number is in server metadata.",
        reasons=("phone-only",),
        signs_in=False,
    ),
    Kind(
        name="phone and address",
        rule="The address signs in; the number is in server metadata.",
        reasons=("phone-not-carried",),
    ),
    Kind(name="anonymous", rule="An anonymous user, for the rows.", reasons=("anonymous",), signs_in=False),
    Kind(
        name="single sign-on of a company",
        rule="The address goes, but signs nobody in: the company decides who may.",
        reasons=("sso-user",),
        signs_in=False,
    ),
    Kind(
        name="banned",
        rule="All is migrated, restricted, with the end of the ban as the reason; a ban that is over is none.",
        reasons=("banned",),
    ),
    Kind(
        name="soft-deleted",
        rule="An empty, restricted user, for the rows: nothing of the person is migrated.",
        reasons=("deleted",),
        signs_in=False,
    ),
    Kind(
        name="hash of another kind (argon2, scrypt, encrypted, unknown)",
        rule="The hash stays behind; a verified address gets the magic link instead.",
        reasons=("hash-not-bcrypt",),
    ),
    Kind(name="empty hash", rule="It means that there is no password, as none at all does."),
    Kind(name="authenticator app (TOTP)", rule="Its secret is migrated by a second request, verified apps only."),
    Kind(
        name="several authenticator apps",
        rule="The one used last is migrated: Stack Auth keeps one.",
        reasons=("second-totp-not-carried",),
    ),
    Kind(
        name="authenticator app with an encrypted secret",
        rule="The app stays behind, and with it the second factor.",
        reasons=("totp-not-carried",),
    ),
    Kind(
        name="passkey or phone as second factor",
        rule="The factor stays behind: neither can be set for somebody else.",
        reasons=("second-factor-not-carried",),
    ),
    Kind(
        name="address that Stack Auth refuses (not ASCII, no @)",
        rule="It is in server metadata; no other is made up.",
        reasons=("email-refused",),
        signs_in=False,
    ),
    Kind(name="address in upper case", rule="It goes in lower case, as Stack Auth compares it."),
    Kind(
        name="the same address in other letters",
        rule="It signs in whoever has it verified, else the older user; the other has it, but not for signing in.",
        reasons=("email-taken-by-another",),
        signs_in=False,
    ),
    Kind(name="large metadata", rule="It goes whole, whatever its size."),
    Kind(
        name="metadata nested without end",
        rule="It goes without what is deeper than 100 levels.",
        reasons=("metadata-cut",),
    ),
    Kind(
        name="metadata with a key `__proto__`",
        rule="It goes without that key, which Stack Auth drops.",
        reasons=("metadata-cut",),
    ),
    Kind(
        name="metadata with numbers of 17 digits and more",
        rule="They go as JavaScript holds them; Stack Auth may keep 16 digits.",
        reasons=("metadata-rounded",),
    ),
    Kind(
        name="metadata with secrets",
        rule="User metadata becomes client metadata and app metadata server metadata, so nobody sees more than before.",
    ),
    Kind(
        name="super-admin",
        rule="The flag is in server metadata as a note, and opens nothing.",
    ),
)

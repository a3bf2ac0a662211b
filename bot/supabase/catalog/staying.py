"""Why a table of the platform's stays behind, and what that means for whoever leaves it. Pure.

Most of them are the platform's own and nobody else's. Some hold what people lose by leaving, or what a customer has
made: each of these has a reason that says so, and where there is something to do, what.
"""

from __future__ import annotations

from collections.abc import Mapping

PLATFORM = "it is the platform's own"
TOKEN = "a one-time token is worth nothing elsewhere"  # noqa: S105 (a reason, no token)
SESSIONS = "sessions end with Supabase: everybody signs in again"
UNDER_WAY = "a sign-in that was under way ends with Supabase: people begin it again"
LOG = "it is the log of Supabase's Auth: copy it by hand if you have to keep it"
SINGLE_SIGN_ON = "it sets up single sign-on: set it up again in Stack Auth; its users have the reason sso-user"
OAUTH_APPS = "it holds the apps that sign people in through this project: register them again"
PROVIDERS = "it holds sign-in providers of your own: set them up again in Stack Auth, with their secrets"
SECRETS = (
    "the secrets are yours and encrypted with a key of this project: copy them by hand from vault.decrypted_secrets"
    " before the project ends"
)

_REASONS: Mapping[tuple[str, str], str] = {
    ("auth", "sessions"): SESSIONS,
    ("auth", "refresh_tokens"): SESSIONS,
    ("auth", "mfa_amr_claims"): SESSIONS,
    ("auth", "one_time_tokens"): TOKEN,
    ("auth", "flow_state"): UNDER_WAY,
    ("auth", "mfa_challenges"): UNDER_WAY,
    ("auth", "oauth_authorizations"): UNDER_WAY,
    ("auth", "oauth_client_states"): UNDER_WAY,
    ("auth", "saml_relay_states"): UNDER_WAY,
    ("auth", "webauthn_challenges"): UNDER_WAY,
    ("auth", "audit_log_entries"): LOG,
    ("auth", "sso_providers"): SINGLE_SIGN_ON,
    ("auth", "sso_domains"): SINGLE_SIGN_ON,
    ("auth", "saml_providers"): SINGLE_SIGN_ON,
    ("auth", "oauth_clients"): OAUTH_APPS,
    ("auth", "oauth_consents"): OAUTH_APPS,
    ("auth", "custom_oauth_providers"): PROVIDERS,
    ("vault", "secrets"): SECRETS,
}

REASONS = frozenset({PLATFORM, *_REASONS.values()})
"""All that `why_it_stays` says: reasons for which nobody has left the table out."""


def why_it_stays(schema: str, name: str) -> str:
    """The reason that `leftOut` gives for a table of the platform's."""
    return _REASONS.get((schema, name), PLATFORM)

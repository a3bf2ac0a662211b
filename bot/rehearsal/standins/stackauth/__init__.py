"""A strict Stack Auth: the user endpoints of its REST API, on a port of this machine.

Goals. Refuse what the service refuses, in its order, with its status, code and shape, so that a client that works
here has no lesson left to learn in the night. Keep what it is given exactly, so that a test can compare the stored hash
with the source's. Fail in all the ways that a network and a busy service can, at a switch. Forget everything at exit,
so that nobody can mistake it for a place to keep users.

It plays two generations of the service. "new" reads and writes `x-hexclave-*` beside `x-stack-*`, caps a page at 1000,
demands a limit above 1000 matching users, and names the last row shown as the cursor. "old" knows `x-stack-*` alone,
has no cap, and names the first row of the next page. The code of a duplicate e-mail differs too.

Limitations.
- Endpoints: POST and GET /api/v1/users, GET, PATCH and DELETE /api/v1/users/{id}, GET /api/v1/users/me with a user's
  token, GET /api/v1/projects/current, POST /api/v1/auth/password/sign-in and /api/v1/auth/mfa/sign-in, GET /health. No
  teams, contact channels, OAuth-provider or session endpoints, and no way in but a password. Only the branch `main`; no
  admin key is right, and any key that begins with `pck_` is a client's. The header that asks for errors as 200 is
  ignored. Lists are by time of sign-up: search, teams, `only_anonymous`, `excluded_email_domains` and another order are
  refused as unknown.
- A password hash that is stored is checked by its form only (prefix $2a$, $2b$ or $2y$, 60 characters, alphabet, cost
  4 to 16): a high cost makes no create slower, and a plain password is kept plain. bcrypt is computed when somebody
  signs in. The service itself lets some characters outside the alphabet pass.
- The sentences of errors are our own except where the service's contract quotes them: match on codes.
- URLs are judged by their parts, not by the whole of the browsers' standard.
- Metadata are kept as the release of April 2026 kept them, in both generations: later ones may lose less (`metadata`).
- The database's unique constraints are played as one slow 500 without the waits between retries.
- `last_active_at_millis` moves only when somebody signs in.
"""

from .access import Generation
from .answers import Json, JsonObject, Refusal
from .faults import FaultKind, Faults
from .server import StackAuthStandin, supabase_id_in
from .users import Channel, OauthIdentity, StoredUser, Team

__all__ = [
    "Channel",
    "FaultKind",
    "Faults",
    "Generation",
    "Json",
    "JsonObject",
    "OauthIdentity",
    "Refusal",
    "StackAuthStandin",
    "StoredUser",
    "Team",
    "supabase_id_in",
]

"""A strict Supabase gateway on this machine: REST, Auth and Storage behind one port and two keys, over a real database.

Goals
- Freezing it is as hard as freezing the real one. REST opens `READ WRITE` by itself, so a database default does not
  stop it; it applies the settings of the role it assumes, and calls `pgrst.db_pre_request` before the main query; both
  are read at the start and at `NOTIFY pgrst`, never in between: at `reload config`, and at the `reload schema` that the
  platform sends with all DDL. The notice is heard by a session that connects only where it may write by default; lost,
  it comes back after 1, 2, 4, … 32 s and all is read anew. Auth and Storage open plain transactions. All sessions
  persist until the server ends them.
- It says no as the services do: status, code and body, so that clients that others wrote raise what they raise.
- It forgets its tokens at exit and keeps nothing of its own.

Limitations, or what the real services do that this does not
- REST: no embedding, JSON paths, `and`/`or`, upserts, functions under /rpc, OpenAPI or CSV; anything of it is refused
  by a 400 that says so. Counts are exact or none. Reads are cut at `max_rows`, silently, as hosted.
- Auth: sign-in by password and out again, with bcrypt hashes alone. An address that was stored in upper case cannot
  sign in, as in the real service.
- Storage: buckets are made. Nothing is listed or served.
- The sentences of errors are our own except where a client reads them: match on codes.

The rooms: `server` is the port and the keys, `rest`, `auth` and `storage` the services, `reading` REST's grammar,
`sessions` what keeps the database open, `tokens` the keys.
"""

from .server import GatewayStandin

__all__ = ["GatewayStandin"]

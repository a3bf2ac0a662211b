"""The source: everything that Cutover asks of a Supabase project, and the freeze.

Two roads lead there: SQL (`database`), and the public API through the `supabase` library (`gateway`), which is what
users' browsers speak and therefore what a freeze has to stop. Inside this package `import supabase` is the library
and `bot.supabase` is we; a script run from inside `bot/` would take one for the other, so nothing here is ever run by
path.

Nothing in this package sees settings, Slack or Stack Auth: it takes a DSN, a URL and keys, and gives findings and
values.
"""

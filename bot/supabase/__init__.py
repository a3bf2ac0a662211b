"""The source: everything that Cutover asks of a Supabase project, and the freeze.

It is reached in two ways: by SQL (`database`), and by the public API through the `supabase` library (`gateway`), which
is what users' browsers speak and therefore what a freeze has to stop. Inside this package `import supabase` is the
library and `bot.supabase` is we; a script run from inside `bot/` would take one for the other, so nothing here is ever
run by path.

database, sessions   sessions of ours, and other people's; connection/ is how ours come about
reading              reading what others own
locks, guard         one bot at a time; nobody writes while the guard is held
gateway, api_client  the public API
project              which project it is
source               the source as the conductor and the watch see it
formatting           how findings and errors write things
preflight/           what is asked before a night
freeze/, proof/      the freeze, the thaw, and whether they hold
catalog/, export/    what there is, and how it is exported
queries/             SQL, each file of which psql runs as it is

Nothing in this package sees settings, Slack or Stack Auth: it takes a DSN, a URL and keys, and gives findings and
values.
"""

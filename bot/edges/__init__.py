"""Settings -> edges. Here and in `bot.app` alone is any of them constructed, and here is the only clock.

clock        the time, for all who are given one
source       Supabase, constructed and not yet asked
target       Stack Auth, likewise
services     both and Slack: all that a run needs
examiners    what the gates ask, by name
steps        what follows a gate, by name
preflights   what the doctor asks, by edge
listener     the ear in the channel, in either mode
"""

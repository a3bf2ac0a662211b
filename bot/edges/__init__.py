"""Settings -> edges. Here and in `bot.app` alone is any of them constructed, and here is the only clock.

clock        the time, for all who are given one
services     Slack, the source and the target, constructed and not yet asked
examiners    what the gates ask, by name
steps        what follows a gate, by name
preflights   what the doctor asks, by edge
listener     the ear in the channel, in either mode
"""

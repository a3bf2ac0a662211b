"""Every sentence that people read, made of the parts of `bot.plan.text`.

sentences   what answers a word: a signal, a word to the bot
accepting   what answers `accept` and `decide`
checklists  what answers `tick`, `untick` and `accept item-KEY`
alarms      what the bot says unasked
account     what `report` tells; `state` what the run is at, and why it is held
approvals   the findings about who may still open a gate
way_back    the SQL that thaws: what is said of it, and its pieces that fit a message
amounts     numbers, sizes and lengths of time in sentences; `listing` long lists
foreign     names and sentences that are not ours
"""

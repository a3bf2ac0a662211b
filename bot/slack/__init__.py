"""Slack: the one channel of the run, heard and written to.

`listener` hears, `payloads` says what was heard, `authority` who may, `messages` (with `blocks`) how a post looks,
`channel` puts it there, `catchup` finds what was said while nobody listened, `calls` is the only way to the Web API.
"""

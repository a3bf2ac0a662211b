"""Slack: the one channel of the run, heard (`hearing`) and written to (`channel`, and `look` for how a post looks).

`calls` is the only way to the Web API, `payloads` the shapes of what Slack sends, `authority` says who may,
`manifest` which app all this needs, and `preflight` whether it is there.
"""

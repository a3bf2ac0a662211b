"""How every post looks: `messages` draws one from the run, out of the `header`, the `summaries` and the `buttons`;
`blocks` makes it fit. Pure.
"""

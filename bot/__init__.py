"""Cutover: a Slack bot that takes a team through the night its data leaves Supabase."""

import os

# With it, `ssl` writes the keys of every connection to a file, and no library of ours can even be imported where that
# file cannot be opened; a thaw must not depend on it.
os.environ.pop("SSLKEYLOGFILE", None)

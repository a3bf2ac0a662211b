"""Every table of the source, from one snapshot, into the data directory.

step            the step `export`: what lies there already, and the result
bundle          the snapshot, the files, metadata.json last
snapshot        the snapshot, held and lent to any number of sessions
rowtext         the statements that turn rows into text, and sum and doubt them
tablefile       one table into one file
storage         the files in Storage, which stay behind
"""

from bot.supabase.export.step import Export, finished

__all__ = ["Export", "finished"]

"""Every table of the source, from one snapshot, into the data directory.

step            the step `export`: what lies there already, and the result
bundle          the snapshot, the files, metadata.json last
snapshot        the snapshot, held and lent to any number of sessions
rows            off the server into files
references      columns that hold users' ids though no key says so
progress        what is reported of it meanwhile
draft           what an attempt has finished, and when the next one may keep it
space           room on the disk
left_out        how many rows the tables hold that are left out
storage         the files in Storage, which stay behind
"""

from bot.supabase.export.step import Export, finished

__all__ = ["Export", "finished"]

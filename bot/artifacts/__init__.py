"""The files of a night: their names, their forms, how they come to be on disk, and how they are read again.

files              their names
durable            the one home of durable writes
data_directory     made private, swept, and moved into the archive
ephemeral_storage  whether a restart would lose the data directory
start              what a start makes in the data directory, removed again when it is refused
metadata           metadata.json
table_files        the name of each table's file
tables             an exported table read again, row by row, and the users it refers to
arrays, depth      the text of arrays; JSON nested too deep
mapping            user-mapping.json and user-attention.json
user_log           users.jsonl, on the journal's chain
scratch            what has to be remembered of every user, on disk and thrown away
changed            the error for a file that has changed since it was checked
proven             a file that was found to be what was exported; nothing else of it is ever given
handover           SHA256SUMS
examiners          what the gates check of these files
verify             everything read again by whoever has the bundle
restore            SQL that loads one exported table; restore_all loads them all
quoting            names and texts in SQL for psql
"""

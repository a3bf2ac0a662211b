"""The files of a night: their names, their forms, how they come to be on disk, and how they are read again.

files       names, durable writes, the data directory, the archive
metadata    metadata.json
mapping     user-mapping.json and user-attention.json
userlog     users.jsonl, on the journal's chain
tables      an exported table read again, row by row, and the users it refers to
changed     a file that was checked and has other bytes now
proven      a file that was found to be what was exported, of which nothing else is ever given
start       what a start makes in the data directory, taken back when it is refused
handover    SHA256SUMS
examiners   what the gates ask of these files
verify      everything read again by whoever has the bundle
"""

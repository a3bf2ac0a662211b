"""The freeze verified by trying, and the export by counting.

examiner      the checks of each gate, in their order
probes        writes that touch no row
refusals      is a write refused? of a new session, and of Storage
api           the same of the public API, and by what it refuses
old_sessions  sessions from before the freeze
write_paths   other ways to write
activity      what an observation of the source takes down, and what differs between two
drift         does anything change, in a quiet window and since the record
read_rights   may our role read every table
foreign       whose code reading the tables would run
encoding      can all text be written as UTF-8
counts        has every exported table as many rows as the source, counted by other methods
notice        what the public sees
"""

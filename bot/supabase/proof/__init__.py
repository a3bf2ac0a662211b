"""The freeze put to the proof.

examiner   the questions of each gate, in their order
refusals   is a write refused? asked by trying
api        the same of the public API, and by what it refuses
others     sessions from before the freeze
paths      other ways to write
stillness  does anything move, in a quiet window and since the record
movement   what a look at the source takes down, and what differs between two
notice     what the public sees
wording    how findings list things
"""

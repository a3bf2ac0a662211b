"""What a word does: one function a word, by subject, and the table that says when each is legal and for whom.

utterance        a word, by whom, and when; what all of them work on
table            the table of words, and the judging of one word by it
opening          what opens a gate: the signals, and `start`, `freeze`
accept           what is let pass: `accept`, `decide`
accept_grammar   the grammar of `accept`: which names were said, and why
checklist        what members state: `tick`, `untick`
control          what stops the run, lets it go on, gives it time, or takes it back
info             what only tells: `status`, `who`, `help`, `report`
"""

"""What a word does: one function a word, by subject, and the table that says when each is legal and for whom.

said        a word, by whom, and when; what all of them work on
judging     the table, and the judging of one word by it
opening     what opens a gate: the signals, and `start`, `freeze`
accepting   what is let pass: `accept`, `decide`
naming      the grammar of `accept`: which names were said, and why
steering    what stops the run, lets it go on, or takes it back: `hold`, `retry`, `thaw`, `abort`, `release`
telling     what only tells: `status`, `who`, `help`
"""

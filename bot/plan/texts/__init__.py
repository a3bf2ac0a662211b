"""Between the run and people: what they mean, what they are told, what they are asked to approve.

text     -> signals    a signal, a word to the bot, a near miss, or nothing
a word   -> words      the table of what it does in each phase
a gate   -> offers     its evidence and the digest that binds an approval
an event -> posts      the message that the channel is owed
            sentences  what is said in it
            amounts    numbers, sizes and lengths of time in it
"""

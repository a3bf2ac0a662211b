"""The edge to Stack Auth: every exported user becomes a user there, exactly once, or stands in a list with a reason.

exported   the users of the bundle, each with its identities and factors
signin     pure: what an exported user can sign in with
claims     whose an address or an account is that several users claim
needs      what all of them sign in with, in numbers
reasons    what can keep a user from being carried over whole
kinds      the stated rule for each kind of user
translate  pure: exported user -> request and reasons
pace       pure: when the next request may begin
answers    what an answer of the service means: a value, or an error of a class of its own
api        the service over HTTP
patience   the service asked at that pace, passing trouble waited out
target     whether the project is there, and has what people sign in with
matching   whom the service holds already; what became of a request without an answer
fates      what is to become of each user, by that, by people's decisions and by the mode
carry      one user carried over, whatever the service answers
migrate    the step: everybody, resumable
outcome    the mapping and the attention list that it leaves
outlook    what will become of the users, before any is created
likeness   pure: what a user should look like there, field by field
readback   what the service really holds -> findings
undo       the users that a run created, removed again
probe      how many users the service takes in a second
together   work side by side, and in threads, to its end
"""

"""The edge to Stack Auth: every exported user becomes a user there, exactly once, or stands in a list with a reason.

exported   the users of the bundle, each with its identities and factors
reasons    what can keep a user from being carried over whole
translate  pure: exported user -> request and reasons
pace       pure: when the next request may begin
answers    what an answer of the service means: a value, or an error of a class of its own
api        the service over HTTP
patience   the service asked at that pace, passing trouble waited out
matching   which of our users the service holds already; what became of a request without an answer
carry      one user carried over, whatever the service answers
migrate    the step: everybody, resumable, then the mapping and the attention list
outlook    what will become of the users, before any is created
readback   what the service really holds -> findings; the look at the target before a night
"""

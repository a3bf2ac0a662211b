"""Stack Auth over HTTP.

answers    what an answer of the service means: a value, or an error of a class of its own
api        the requests, typed
pace       pure: when the next request may begin
patience   the service asked at that pace, passing trouble waited out
"""

"""One user created or brought up to date, exactly once, whatever the service answers.

writer         the requests of one user, from the intent on disk to the outcome on disk
refusals       what the next request leaves out after a refusal, and the reason for it
unanswered     what became of a request that nobody answered
failures       one user over whom the service fails, while it may serve others
group_commit   lines of many workers, written together
"""

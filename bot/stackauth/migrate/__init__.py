"""The step `users`, and what makes it checkable and undoable.

step              everybody migrated, resumable
existing          whom the service holds already
resolve           what is to become of each user, by that, by people's decisions and by the mode
requests          pure: the requests for one user
moved_addresses   addresses that another of our users has now
upsert            one user created or brought up to date, whatever the service answers
adoption          users of an earlier run whom this run maps
result            the mapping and the attention list
readback          what the service really holds -> findings
rollback          the users that a run created, deleted again
"""

"""What the service really holds, compared with what was exported.

examiner      the findings `users-exactly-once` and `users-read-back`
pairs         each mapped user beside the one in the service's list
fingerprint   pure: what a user should look like there, field by field
"""

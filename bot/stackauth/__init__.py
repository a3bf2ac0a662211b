"""The edge to Stack Auth: every exported user becomes a user there, exactly once, or stands in a list with a reason.

people     who the exported users are, and what each becomes: pure but for reading the bundle
service    the service over HTTP, asked at its own pace
carrying   the step `users`: everybody carried over, resumable
target     whether the project is there, and has what people sign in with
outlook    what will become of the users, before any is created
likeness   pure: what a user should look like there, field by field
readback   what the service really holds -> findings
canary     whether a carried hash signs in
undo       the users that a run created, removed again
probe      how many users the service takes in a second
together   work side by side, and in threads, to its end
"""

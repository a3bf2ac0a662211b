"""The edge to Stack Auth: every exported user becomes a user there, exactly once, or is listed with a reason.

client      the service over HTTP, asked at the rate that it takes
users       who the exported users are, and what each becomes: pure but for reading the bundle
migrate     the step `users`: everybody migrated, resumable, read back and undone
preflight   whether the project is there, and has what people sign in with
probe       how many users the service takes in a second
canary      whether a migrated hash signs in
"""

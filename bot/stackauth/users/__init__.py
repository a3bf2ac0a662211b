"""Who the exported users are, and what each of them becomes.

exported   the users of the bundle, each with its identities and factors
signin     pure: what an exported user can sign in with
claims     whose an address or an account is that several users claim
needs      what all of them sign in with, in numbers
reasons    what can keep a user from being carried over whole
kinds      the stated rule for each kind of user
translate  pure: exported user -> request and reasons
"""

"""Who the exported users are, and what each of them becomes. Nothing is asked of the service here.

exported        the users of the bundle, each with its identities and factors
sign_in         pure: what an exported user can sign in with
conflicts       whose an address or an account is that several users have
requirements    what all of them sign in with, in numbers
second_factor   pure: the secret of the authenticator app
profile         pure: name and picture
metadata        pure: metadata as the service will hold it, and the marker in it
reasons         what can keep a user from being migrated completely
translate       pure: exported user -> request and reasons
forecast        what will become of everybody, before any user is created
"""

"""Stack Auth over HTTP.

errors             what can come of a request instead of its value
models             what the service tells of users and projects, decoded and checked
responses          which value or error a response is
api                the requests, typed; each is sent once
rate               pure: when the next request may begin
retry              the same requests at that rate, repeated while the trouble passes
user_list          every user of the service, page by page
password_sign_in   signing in as an app's client does
"""

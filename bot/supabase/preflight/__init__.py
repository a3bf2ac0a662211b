"""What is asked of the source before a night: by `cutover doctor` days before, and when a run is opened.

checks      what the doctor asks of the database, in its order
api         what it asks of the public API
needs       room on the disk, sessions on the source
api_grants  tables that the public API may not read
canary      whether the canary signs in with its password
opening     what a run must know before its first gate is offered
live_users  the users of the live source, row by row
"""

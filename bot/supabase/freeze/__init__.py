"""The freeze and the thaw.

layers      the SQL that people run, what of it is in place, and what was set before
apply       the freeze as the bot does it
thaw        the freeze undone
thaw_plan   what a thaw would set, decided beforehand
thaw_check  what a freeze would meet and a thaw would do, tried and rolled back
thaw_proof  whether writing works again
"""

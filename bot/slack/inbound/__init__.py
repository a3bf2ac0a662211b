"""What people say: `listener` hears it as it is said, over a socket, or in `http_mode` through the `door`; `slash` what
is said as a command, `catchup` what was said while nobody listened, `past` what the channel says of runs before.
"""

"""`python -m bot` is the command `cutover`."""

from bot.cli import main

main()

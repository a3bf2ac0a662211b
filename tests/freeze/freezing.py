"""The bot's freeze as a process of its own, which can be killed.

python -m tests.freeze.freezing postgresql://...
"""

import asyncio
import sys

from bot.supabase.database import Database
from bot.supabase.freeze.apply import apply

if __name__ == "__main__":
    asyncio.run(apply(Database(sys.argv[1])))

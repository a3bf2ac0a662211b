"""Every benchmark, one after the other."""

import asyncio

from benchmarks import export

if __name__ == "__main__":
    asyncio.run(export.main())

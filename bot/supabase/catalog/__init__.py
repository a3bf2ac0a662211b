"""What there is in the source: the tables to be exported with all that an import needs to know, and what is left out.

A catalog sees what its session sees: inside a snapshot's transaction that is the snapshot, but for the last value of
a sequence, which no snapshot holds still. A table that inherits from another is a table of its own, and its parent is
read with ONLY; a partitioned table is one table, read through its parent.

inventory       the values
reading         asks PostgreSQL for them
selection       what is taken and what is left out, with the reason
encoding        how a column's values are written
importorder     the order in which an import can fill the tables
userreferences  which columns hold users' ids
"""

from bot.supabase.catalog.inventory import Catalog, Column, SequenceState, Table
from bot.supabase.catalog.reading import read_catalog

__all__ = ["Catalog", "Column", "SequenceState", "Table", "read_catalog"]

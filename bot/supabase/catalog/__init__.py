"""What there is in the source: the tables to be exported with all that an import needs to know, and what is left out.

A catalog sees what its session sees: inside a snapshot's transaction that is the snapshot. A table that inherits from
another is a table of its own, and its parent is read with ONLY; a partitioned table is one table, read through its
parent or by its partitions. No snapshot holds a sequence still: see `sequences`.

inventory        the values
reading          asks PostgreSQL for them
platform         which schemas are the platform's own
selection        what is taken and what is left out, with the reason
staying          why a table of the platform's stays behind
taken            each row in exactly one file, or listed as left out; and the second look that proves it
type_details     what an importer wants to know of a type
encoding         how a column's values are written
sequences        what each sequence holds
import_order     the order in which an import can fill the tables
user_references  which columns hold users' ids
"""

from bot.supabase.catalog.inventory import Catalog, Column, NumberSequence, Table
from bot.supabase.catalog.reading import read_catalog
from bot.supabase.catalog.selection import Selection
from bot.supabase.catalog.taken import NEVER_LEFT_OUT

__all__ = ["NEVER_LEFT_OUT", "Catalog", "Column", "NumberSequence", "Selection", "Table", "read_catalog"]

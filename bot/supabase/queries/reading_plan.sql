-- Planning runs code of the table's owner (an index's expression, say) and keeps what came of it. So it is done once for
-- nothing; what that code has set is undone, and set anew.
ROLLBACK TO SAVEPOINT begun;
EXPLAIN (COSTS off) {select};
ROLLBACK TO SAVEPOINT begun;
{session}

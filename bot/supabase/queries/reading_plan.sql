-- Planning runs code of the table's owner (an index's expression, say) and keeps what came of it. So it is done once for
-- nothing; what that code has set is undone, and set anew.
-- psql -c 'BEGIN; SAVEPOINT begun' -v select='SELECT 1' -v session='SET jit = off;' -f reading_plan.sql
ROLLBACK TO SAVEPOINT begun;
EXPLAIN (COSTS off) :select;
ROLLBACK TO SAVEPOINT begun;
:session

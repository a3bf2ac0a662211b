-- Settings of a session that reads tables whole: rows come in the order in which they are stored, so that a still source
-- gives the same bytes again.
SET synchronize_seqscans = off;
SET max_parallel_workers_per_gather = 0;
SET jit = off;

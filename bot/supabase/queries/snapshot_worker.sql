-- Settings of a session that reads tables whole: rows come in the order in which they are stored, so that a still source
-- gives the same bytes again; and they are counted where they are stored, not in an index.
SET synchronize_seqscans = off;
SET max_parallel_workers_per_gather = 0;
SET enable_indexonlyscan = off;

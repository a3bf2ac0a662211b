-- Values that lie outside the table's own blocks are not fetched to learn their size. A span that is too heavy for one
-- message is sent row by row.
-- psql -v weight='pg_column_size(t.*)' -v table=auth.users -v span='' -v light='SELECT 1 AS n' -v heavy='SELECT 2 AS n' -f rows_weighed.sql
SELECT c.* FROM (SELECT coalesce(sum(:weight), 0) AS bytes FROM :table AS t :span) AS weight
  CROSS JOIN LATERAL ((:light) UNION ALL (:heavy)) AS c

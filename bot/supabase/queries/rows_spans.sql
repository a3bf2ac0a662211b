-- Every so many spans of equally many blocks. The last span has no end, so that no block can fall behind it.
-- psql -v offset=0 -v blocks=10 -v last=3 -v begin=0 -v stride=1 -f rows_spans.sql
SELECT :offset + n AS chunk, n * :blocks AS first, CASE n WHEN :last THEN 4294967295 ELSE (n + 1) * :blocks END AS next
  FROM generate_series(:begin::bigint, :last, :stride) AS n

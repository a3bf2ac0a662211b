-- psql -v spans='SELECT 1 AS chunk' -v chunk='SELECT 2 AS n' -f rows_spanned.sql
SELECT cutover_span.chunk, c.* FROM (:spans) AS cutover_span CROSS JOIN LATERAL (:chunk) AS c

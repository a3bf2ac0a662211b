-- psql -v first=0 -v next=10 -v count='SELECT cutover_span.first' -f rows_count_span.sql
SELECT c.* FROM (SELECT :first::bigint AS first, :next::bigint AS next) AS cutover_span CROSS JOIN LATERAL (:count) AS c

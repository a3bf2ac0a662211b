-- psql -v first=0 -v next=10 -v digest='SELECT cutover_span.first' -f rows_digest_span.sql
SELECT d.* FROM (SELECT :first::bigint AS first, :next::bigint AS next) AS cutover_span CROSS JOIN LATERAL (:digest) AS d

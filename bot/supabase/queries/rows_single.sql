-- psql -v rows="SELECT '{}' AS row, false AS doubt" -v gate='' -f rows_single.sql
SELECT 1::bigint AS n, coalesce(texts.doubt, false) AS doubt, texts.row AS text FROM (:rows) AS texts :gate

-- psql -v rows="SELECT ''::bytea AS row, false AS doubt" -v digest=texts.row -v gate='' -f rows_single.sql
SELECT 1::bigint AS n, coalesce(texts.doubt, false) AS doubt, :digest AS digests, texts.row AS text FROM (:rows) AS texts :gate

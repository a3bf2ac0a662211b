-- All these rows as one text; one message instead of many is what keeps the reader cheap.
-- psql -v rows="SELECT '{}' AS row, false AS doubt" -v gate='' -f rows_chunk.sql
SELECT count(*) AS n, coalesce(bool_or(texts.doubt), false) AS doubt, string_agg(texts.row, E',\n') AS text
  FROM (:rows) AS texts :gate

-- All these rows joined by a comma and a newline, and behind each other what each adds to the row digest; one message
-- instead of many is what keeps the reader cheap.
-- psql -v rows="SELECT ''::bytea AS row, false AS doubt" -v digest=texts.row -v gate='' -f rows_chunk.sql
SELECT count(*) AS n, coalesce(bool_or(texts.doubt), false) AS doubt, string_agg(:digest, ''::bytea) AS digests,
       string_agg(texts.row, '\x2c0a'::bytea) AS text
  FROM (:rows) AS texts :gate

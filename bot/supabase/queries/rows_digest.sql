-- How many rows there are, the sum over them of the first 8 bytes of md5 of the text, as a signed big-endian integer, and for
-- each of some columns whether any of them has a value there. The bytes are those of the file, whatever the database's own
-- encoding.
-- psql -v place=1 -v rows="SELECT '{}' AS row, 1 AS value_0" -v filled='count(texts.value_0) > 0' -f rows_digest.sql
SELECT :place AS place, count(*) AS n, coalesce(sum(('x' || substr(md5(convert_to(texts.row, 'UTF8')), 1, 16))::bit(64)::bigint), 0)::text AS digest,
       ARRAY[:filled]::boolean[] AS filled
  FROM (:rows) AS texts

-- How many rows there are, and the sum over them of the first 8 bytes of md5 of the text, as a signed big-endian integer.
SELECT count(*), coalesce(sum(('x' || substr(md5(row_to_json::text), 1, 16))::bit(64)::bigint), 0)::text
  FROM ({rows}) AS texts

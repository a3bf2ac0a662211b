-- What looks like an id inside a value; values of more than 64 kB as stored are not looked into.
-- psql -v place=1 -v rows='(SELECT raw_user_meta_data FROM auth.users) AS x' -v column=raw_user_meta_data -f reference_pieces.sql
SELECT :place::bigint AS place, piece.found[1]::uuid AS id
  FROM :rows
  CROSS JOIN LATERAL regexp_matches(x.:column::text, '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}', 'g') AS piece (found)
 WHERE pg_column_size(x.:column) < 65536

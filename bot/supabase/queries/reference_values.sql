-- Each value whole. Only the form that uuid has as text counts: an import compares with that.
-- psql -v place=1 -v id=x.id -v rows='auth.users AS x' -v value=x.id -f reference_values.sql
SELECT :place::bigint AS place, :id AS id FROM :rows WHERE :value IS NOT NULL

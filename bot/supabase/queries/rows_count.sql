-- How many rows there are, and for each of some columns whether any of them has a value there.
-- psql -v place=1 -v filled='count(t.id) > 0' -v table=auth.users -v span='' -f rows_count.sql
SELECT :place AS place, count(*) AS n, ARRAY[:filled]::boolean[] AS filled FROM :table AS t :span

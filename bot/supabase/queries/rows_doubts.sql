-- For each doubt whether the data have such a value: one scan for all of a table's.
-- psql -v doubts='bool_or(x.id IS NULL)' -v table=auth.users -f rows_doubts.sql
SELECT :doubts FROM :table AS x

-- Each row as the JSON text that stands in the file, and whether a value in it cannot be carried so. x.* because
-- row_to_json(x) would take a column named x.
-- psql -v doubt=false -v values='' -v columns='*' -v table=auth.users -v span='' -f rows_text.sql
SELECT row_to_json(x.*)::text AS row, :doubt AS doubt:values FROM (SELECT :columns FROM :table AS t :span) AS x

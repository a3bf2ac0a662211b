-- A JSON null takes a few bytes and is never moved out of the row, so that large documents need not be fetched to see it.
CASE WHEN pg_column_size({value}) < 64 THEN {value}::jsonb = 'null' END

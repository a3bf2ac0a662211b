-- For each doubt whether the data have such a value: one scan for all of a table's.
SELECT {doubts} FROM {table} AS x

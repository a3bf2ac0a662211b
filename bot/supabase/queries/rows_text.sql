-- Each row as the JSON text that stands in the file, and whether a value in it cannot be carried so. x.* because
-- row_to_json(x) would take a column named x.
SELECT row_to_json(x.*)::text AS row, {doubt} AS doubt{values} FROM (SELECT {columns} FROM {table} AS t {span}) AS x

-- Each row as the JSON text that stands in the file. x.* because row_to_json(x) would take a column named x.
SELECT row_to_json(x.*) FROM (SELECT {columns} FROM {table}) AS x

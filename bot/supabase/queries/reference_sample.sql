-- OFFSET 0 keeps the planner from reading the whole table for it.
({spans}) AS cutover_span CROSS JOIN LATERAL (SELECT {column} FROM {table} AS t {span} OFFSET 0) AS x

'null' = ANY ({column}::jsonb[]) OR array_dims({column}) !~ '^(\[1:\d+\])+$'

-- A JSON array among the elements would be read back as a further dimension.
jsonb_typeof({value}) IN ('null', 'array')

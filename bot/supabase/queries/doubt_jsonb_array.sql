-- A JSON array among the elements would be read back as a further dimension.
EXISTS (SELECT FROM unnest({column}) AS element (value) WHERE jsonb_typeof(element.value) IN ('null', 'array'))
  OR array_dims({column}) !~ '^(\[1:\d+\])+$'

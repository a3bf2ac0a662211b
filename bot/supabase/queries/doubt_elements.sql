{bounds} OR EXISTS (SELECT FROM (SELECT unnest({value}) AS value) AS element WHERE {look})

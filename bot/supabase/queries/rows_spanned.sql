SELECT cutover_span.chunk, c.* FROM ({spans}) AS cutover_span CROSS JOIN LATERAL ({chunk}) AS c

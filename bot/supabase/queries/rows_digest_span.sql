SELECT d.* FROM (SELECT {first}::bigint AS first, {next}::bigint AS next) AS cutover_span CROSS JOIN LATERAL ({digest}) AS d

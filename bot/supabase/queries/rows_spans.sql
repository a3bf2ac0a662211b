-- Every so many spans of equally many blocks. The last span has no end, so that no block can fall behind it.
SELECT {offset} + n AS chunk, n * {blocks} AS first, CASE n WHEN {last} THEN 4294967295 ELSE (n + 1) * {blocks} END AS next
  FROM generate_series({begin}::bigint, {last}, {stride}) AS n

-- How large the text of a block's rows is at most, by a few blocks from all over the table, and for each column whether a row in
-- them has a value there.
-- psql -v filled=true -v last=9 -v stride=5 -v values='' -v rows="SELECT '{}' AS row" -f rows_page_bytes.sql
SELECT coalesce(max(page.bytes), 0), ARRAY[:filled]::boolean[]
  FROM generate_series(0::bigint, :last, :stride) AS n
  CROSS JOIN LATERAL (SELECT n AS first, n + 1 AS next) AS cutover_span
  CROSS JOIN LATERAL (SELECT sum(octet_length(texts.row)) AS bytes:values FROM (:rows) AS texts) AS page

-- Each row as its bytes in the file (the client's encoding, which is UTF-8), and whether a value in it cannot be
-- carried so. x.* because row_to_json(x) would take a column named x. OFFSET 0 lets each row be written once, however often
-- it is used outside.
-- psql -v doubt=false -v values='' -v columns='*' -v table=auth.users -v span='' -f rows_text.sql
SELECT json_send(row_to_json(x.*)) AS row, :doubt AS doubt:values FROM (SELECT :columns FROM :table AS t :span) AS x OFFSET 0

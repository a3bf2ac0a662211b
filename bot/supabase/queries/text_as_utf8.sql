-- Fails where the text of a value is no UTF-8.
-- psql -v columns='*' -v table=auth.users -f text_as_utf8.sql
SELECT count(convert_to(format('%s', x.*), 'UTF8')) FROM (SELECT :columns FROM :table) AS x

-- Fails where the text of a value is no UTF-8.
SELECT count(convert_to(format('%s', x.*), 'UTF8')) FROM (SELECT {columns} FROM {table}) AS x

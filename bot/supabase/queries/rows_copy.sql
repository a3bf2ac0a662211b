-- JSON text holds no control byte, so with these two as delimiter and quote nothing is ever escaped or quoted.
COPY ({rows}) TO STDOUT (FORMAT csv, DELIMITER e'\x02', QUOTE e'\x01')

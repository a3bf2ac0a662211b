-- The settings of every session of ours: what changes the bytes of a row's text, what could hide rows, and what cuts us off.
SET client_encoding = 'UTF8';
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
SET IntervalStyle = 'postgres';
SET extra_float_digits = 1;
SET bytea_output = 'hex';
SET xmloption = content;
SET xmlbinary = base64;
SET quote_all_identifiers = off;
SET standard_conforming_strings = on;
SET transform_null_equals = off;
-- With BYPASSRLS it reads all rows; without, the query fails instead of silently returning fewer.
SET row_security = off;
SET gin_fuzzy_search_limit = 0;
SET search_path = pg_catalog, pg_temp;
-- The planner would run functions of a table's CHECKs.
SET constraint_exclusion = off;
-- Our questions look dear to the planner and are not: compiling one takes longer than all of them together.
SET jit = off;
-- A hosted project cuts off after two minutes; an export may rightly take longer.
SET statement_timeout = 0;
SET idle_session_timeout = 0;
-- Of servers from 17 on; others do not know it.
SELECT pg_catalog.set_config('transaction_timeout', '0', false) WHERE pg_catalog.current_setting('transaction_timeout', true) IS NOT NULL;
-- A dead client must not hold snapshot or locks for hours: whoever is idle in a transaction has to ping.
SET idle_in_transaction_session_timeout = '60s';
SET tcp_keepalives_idle = 30;
SET tcp_keepalives_interval = 10;
SET tcp_keepalives_count = 3;
SET lock_timeout = '30s';

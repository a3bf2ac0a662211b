-- psql -v table=auth.users -f count_rows.sql
SELECT pg_catalog.count(*) FROM :table

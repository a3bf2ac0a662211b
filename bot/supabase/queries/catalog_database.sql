-- Installed extensions, how many large objects there are (which no table holds), and who asks.
SELECT ARRAY(SELECT e.extname::text FROM pg_extension e ORDER BY e.extname COLLATE "C") AS extensions,
       (SELECT count(*) FROM pg_largeobject_metadata) AS large_objects,
       quote_ident(current_user) AS role

-- Tables whose triggers call Supabase's webhooks; asked only where those are installed.
SELECT DISTINCT 'webhook', t.tgrelid::regclass::text
  FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE n.nspname = 'supabase_functions' AND NOT t.tgisinternal AND t.tgenabled <> 'D'
 ORDER BY 2

-- The roles of a Supabase project, cluster-wide; may run again for a second database of the same server.
-- Settings read: company.password (for every role that can log in).
DO $roles$
DECLARE
  wanted record;
BEGIN
  FOR wanted IN
    SELECT * FROM (VALUES
      ('postgres',                   'LOGIN CREATEDB CREATEROLE REPLICATION BYPASSRLS'),
      ('anon',                       'NOLOGIN NOINHERIT'),
      ('authenticated',              'NOLOGIN NOINHERIT'),
      ('service_role',               'NOLOGIN NOINHERIT BYPASSRLS'),
      ('authenticator',              'LOGIN NOINHERIT'),
      ('supabase_auth_admin',        'LOGIN NOINHERIT CREATEROLE'),
      ('supabase_storage_admin',     'LOGIN NOINHERIT CREATEROLE'),
      ('supabase_functions_admin',   'LOGIN NOINHERIT CREATEROLE'),
      ('supabase_realtime_admin',    'NOLOGIN NOINHERIT'),
      ('supabase_replication_admin', 'LOGIN REPLICATION'),
      ('supabase_read_only_user',    'LOGIN BYPASSRLS'),
      ('supabase_etl_admin',         'LOGIN REPLICATION'),
      ('dashboard_user',             'NOLOGIN CREATEDB CREATEROLE REPLICATION'),
      ('pgbouncer',                  'LOGIN')
    ) AS roles(name, attributes)
  LOOP
    IF to_regrole(wanted.name) IS NULL THEN
      EXECUTE format('CREATE ROLE %I %s', wanted.name, wanted.attributes);
      IF wanted.attributes LIKE 'LOGIN%' THEN
        EXECUTE format('ALTER ROLE %I PASSWORD %L', wanted.name, current_setting('company.password'));
      END IF;
    END IF;
  END LOOP;
END $roles$;

-- What the project's owner may do: see and end sessions, read everything, rule the API's roles; not become the platform's.
GRANT pg_monitor, pg_signal_backend, pg_read_all_data TO postgres;
GRANT anon, authenticated, service_role, authenticator TO postgres WITH ADMIN OPTION;
GRANT anon, authenticated, service_role TO authenticator;
GRANT authenticator TO supabase_storage_admin;
GRANT pg_read_all_data TO supabase_read_only_user, supabase_etl_admin;
GRANT pg_monitor TO supabase_read_only_user;

-- Stands in for Supabase's supautils, which lets the owner give this setting to authenticator.
GRANT SET ON PARAMETER "pgrst.db_pre_request" TO postgres;

ALTER ROLE anon SET statement_timeout = '3s';
ALTER ROLE authenticated SET statement_timeout = '8s';
ALTER ROLE authenticator SET statement_timeout = '8s';
ALTER ROLE authenticator SET lock_timeout = '8s';
ALTER ROLE postgres SET search_path = "$user", public, extensions;
ALTER ROLE supabase_auth_admin SET search_path = auth;
ALTER ROLE supabase_auth_admin SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE supabase_storage_admin SET search_path = storage;
ALTER ROLE supabase_functions_admin SET search_path = supabase_functions;
ALTER ROLE supabase_read_only_user SET default_transaction_read_only = on;

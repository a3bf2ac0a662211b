-- What one sign-in writes.
-- psql -c 'SET session_replication_role = replica' -v session=00000000-0000-4000-a000-000000000000 -v user=00000000-0000-4000-a000-000000000000 -v token=t -f sign_in_write.sql
WITH session AS (
  INSERT INTO auth.sessions (id, user_id, created_at, updated_at, aal)
  VALUES (:'session', :'user', now(), now(), 'aal1') RETURNING id
), claim AS (
  INSERT INTO auth.mfa_amr_claims (session_id, created_at, updated_at, authentication_method, id)
  SELECT id, now(), now(), 'password', gen_random_uuid() FROM session
), token AS (
  INSERT INTO auth.refresh_tokens (instance_id, token, user_id, revoked, created_at, updated_at, session_id)
  SELECT '00000000-0000-0000-0000-000000000000', :'token', :'user'::text, false, now(), now(), id FROM session
), log AS (
  INSERT INTO auth.audit_log_entries (instance_id, id, payload, created_at)
  VALUES ('00000000-0000-0000-0000-000000000000', gen_random_uuid(), json_build_object('action', 'login', 'actor_id', :'user'::text), now())
)
UPDATE auth.users SET last_sign_in_at = now(), updated_at = now() WHERE id = :'user';

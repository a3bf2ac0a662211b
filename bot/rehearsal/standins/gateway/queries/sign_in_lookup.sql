-- Who signs in with a password: single sign-on users and deleted ones never do.
-- psql -v email='a@b.example' -f sign_in_lookup.sql
SELECT id, coalesce(encrypted_password, ''), email_confirmed_at IS NOT NULL, coalesce(banned_until > now(), false)
  FROM auth.users
 WHERE email = lower(:'email') AND NOT is_sso_user AND deleted_at IS NULL AND aud = 'authenticated';

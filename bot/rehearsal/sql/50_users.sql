-- Users of every kind. Settings read: company.seed, company.users, and the marks that a leak is searched by.
-- Everything follows from the seed and a number, so that two builds give the same rows.
CREATE FUNCTION pg_temp.digest_of(kind text, i bigint) RETURNS text LANGUAGE sql STABLE
  RETURN md5(current_setting('company.seed') || '/' || kind || '/' || i);
CREATE FUNCTION pg_temp.id_of(kind text, i bigint) RETURNS uuid LANGUAGE sql STABLE
  RETURN overlay(overlay(pg_temp.digest_of(kind, i) PLACING '4' FROM 13) PLACING 'a' FROM 17)::uuid;
CREATE FUNCTION pg_temp.chance(kind text, i bigint, below bigint) RETURNS integer LANGUAGE sql STABLE
  RETURN (('x' || substr(pg_temp.digest_of(kind, i), 1, 7))::bit(28)::integer % below)::integer;

-- bcrypt: 22 characters of salt and 31 of hash; the last of each carries only the bits that are left.
CREATE FUNCTION pg_temp.bcrypt(prefix text, i bigint) RETURNS text LANGUAGE sql STABLE
  RETURN prefix || current_setting('company.hash_mark') || substr(pg_temp.digest_of('salt', i), 1, 21 - length(current_setting('company.hash_mark')))
    || 'e' || substr(pg_temp.digest_of('hash', i), 1, 30) || 'u';
-- What Auth leaves of an address when it deletes softly.
CREATE FUNCTION pg_temp.obscured(id uuid, was text) RETURNS text LANGUAGE sql IMMUTABLE
  RETURN rtrim(translate(encode(sha256(convert_to(id::text || was, 'UTF8')), 'base64'), '+/', '-_'), '=');

CREATE TEMP TABLE kinds AS
SELECT kind, row_number() OVER () - 1 AS place
  FROM unnest(ARRAY[
    'password', 'google', 'password', 'unverified', 'password', 'phone', 'google', 'password-and-google', 'anonymous',
    'password', 'github', 'sso', 'banned', 'password', 'magic-link-null', 'deleted', 'google', 'argon2', 'totp',
    'password', 'twin', 'twin-sso', 'twin-case', 'upper-case', 'phone-and-email', 'firebase', 'empty-hash', 'other-bcrypt',
    'google-and-github', 'password', 'anonymous', 'non-ascii', 'nested-metadata', 'ban-over', 'password', 'invited',
    'super-admin', 'odd-address', 'encrypted-hash', 'unknown-hash', 'totp', 'unverified', 'phone', 'password'
  ]) WITH ORDINALITY AS listed(kind, position)
 ORDER BY position;

CREATE TEMP TABLE people AS
SELECT i, k.kind, pg_temp.id_of('user', i) AS id,
       timestamptz '2024-01-01 09:00:00.123456+00' + i * interval '97 minutes' AS born,
       first || ' ' || last AS full_name,
       CASE
         WHEN i = 1 THEN 'canary' || mark
         WHEN k.kind IN ('phone', 'anonymous', 'deleted') THEN NULL
         WHEN k.kind = 'twin' THEN 'twin' || i || mark
         WHEN k.kind = 'twin-sso' THEN 'twin' || (i - 1) || mark
         WHEN k.kind = 'twin-case' THEN 'Twin' || (i - 2) || mark
         WHEN k.kind = 'upper-case' THEN 'MIXED.Case' || i || mark
         WHEN k.kind = 'non-ascii' THEN 'zoë.größe' || i || mark
         WHEN k.kind = 'odd-address' THEN 'o''brien+tag_' || i || mark
         ELSE 'person' || i || mark
       END AS email,
       CASE WHEN k.kind IN ('phone', 'phone-and-email') THEN current_setting('company.phone_mark') || lpad(i::text, 6, '0') END AS phone
  FROM generate_series(1, current_setting('company.users')::int) AS i
  JOIN kinds k ON k.place = (i - 1) % (SELECT count(*) FROM kinds),
       LATERAL (SELECT (ARRAY['Ada', 'Zoë', 'Bjørn', 'Mei 美', 'Ólafur', 'Nuño', 'Grace', 'Иван'])[1 + pg_temp.chance('first', i, 8)]) AS f(first),
       LATERAL (SELECT (ARRAY['Lovelace', 'O''Neil', 'Müller-Lüdenscheidt', 'de la "Cruz"', 'Ng', 'Smith\Jones'])[1 + pg_temp.chance('last', i, 6)]) AS l(last),
       LATERAL (SELECT current_setting('company.email_mark')) AS m(mark);

INSERT INTO auth.users (
  instance_id, id, aud, role, email, encrypted_password, email_confirmed_at, invited_at, confirmation_token, confirmation_sent_at,
  recovery_token, email_change_token_new, email_change, last_sign_in_at, raw_app_meta_data, raw_user_meta_data, is_super_admin,
  created_at, updated_at, phone, phone_confirmed_at, banned_until, is_sso_user, deleted_at, is_anonymous)
SELECT '00000000-0000-0000-0000-000000000000', id, 'authenticated', 'authenticated',
  CASE WHEN kind = 'deleted' THEN pg_temp.obscured(id, 'gone') ELSE email END,
  CASE
    -- The canary's is the hash of a password, which company.py names; nobody has the password of the others.
    WHEN i = 1 THEN '$2a$10$' || hash_mark || 'CanaryBirdeSAY3r5x7mWwDaSo2u.6G39EP7ol1Wdm'
    WHEN kind IN ('magic-link-null', 'sso', 'twin-sso', 'invited') THEN NULL
    WHEN kind IN ('google', 'github', 'google-and-github', 'phone', 'anonymous', 'empty-hash', 'deleted') THEN ''
    WHEN kind = 'argon2' THEN '$argon2id$v=19$m=65536,t=3,p=4$' || hash_mark || substr(pg_temp.digest_of('salt', i), 1, 11) || '$' || rtrim(encode(sha256(id::text::bytea), 'base64'), '=')
    WHEN kind = 'firebase' THEN '$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=' || encode(sha256('signer'), 'base64') || '$' || encode(convert_to(hash_mark || i, 'UTF8'), 'base64') || '$' || encode(sha256(id::text::bytea), 'base64')
    WHEN kind = 'encrypted-hash' THEN json_build_object('key_id', hash_mark, 'alg', 'aes-gcm-hkdf', 'data', encode(sha256(id::text::bytea), 'base64'), 'nonce', substr(pg_temp.digest_of('nonce', i), 1, 16))::text
    WHEN kind = 'unknown-hash' THEN '$6$' || hash_mark || '$' || encode(sha256(id::text::bytea), 'hex')
    WHEN kind = 'other-bcrypt' THEN pg_temp.bcrypt((ARRAY['$2b$10$', '$2y$10$', '$2a$06$', '$2b$12$'])[1 + pg_temp.chance('prefix', i, 4)], i)
    ELSE pg_temp.bcrypt('$2a$10$', i)
  END,
  CASE WHEN kind NOT IN ('unverified', 'phone', 'anonymous', 'invited', 'deleted') THEN born + interval '3 minutes' END,
  CASE WHEN kind = 'invited' THEN born END,
  CASE WHEN kind IN ('unverified', 'invited') THEN token_mark || pg_temp.digest_of('confirmation', i) ELSE '' END,
  CASE WHEN kind IN ('unverified', 'invited') THEN born END,
  CASE WHEN kind = 'password' AND i % 5 = 0 THEN token_mark || pg_temp.digest_of('recovery', i) ELSE '' END,
  '', '',
  CASE WHEN kind NOT IN ('unverified', 'invited') THEN born + i * interval '11 hours' END,
  CASE
    WHEN kind IN ('anonymous', 'deleted') THEN '{}'
    WHEN kind IN ('google', 'github', 'phone') THEN jsonb_build_object('provider', kind, 'providers', jsonb_build_array(kind))
    WHEN kind = 'password-and-google' THEN '{"provider": "email", "providers": ["email", "google"], "plan": "team"}'
    WHEN kind = 'google-and-github' THEN '{"provider": "google", "providers": ["google", "github"]}'
    WHEN kind = 'phone-and-email' THEN '{"provider": "email", "providers": ["email", "phone"]}'
    WHEN kind IN ('sso', 'twin-sso') THEN jsonb_build_object('provider', sso, 'providers', jsonb_build_array(sso))
    WHEN kind = 'super-admin' THEN '{"provider": "email", "providers": ["email"], "roles": ["admin", "root"], "claims_admin": true}'
    ELSE '{"provider": "email", "providers": ["email"]}'
  END::jsonb,
  CASE
    WHEN kind IN ('anonymous', 'deleted') THEN '{}'
    WHEN kind = 'nested-metadata' THEN jsonb_build_object('full_name', full_name, 'nothing', NULL, 'big', 9007199254740993, 'exact', 1.10,
      'deep', '{"a": [{"b": {"c": [1, null, "\u00e9\n\t\"x\""]}}], "": "empty key"}'::jsonb, 'tags', '["π", "a\\b", "💡"]'::jsonb)
    WHEN kind LIKE '%google%' THEN jsonb_build_object('iss', 'https://accounts.google.com', 'sub', google, 'email', email, 'full_name', full_name,
      'avatar_url', 'https://cdn.example/a/' || i || '.png', 'picture', 'https://cdn.example/a/' || i || '.png', 'email_verified', true)
    WHEN kind = 'github' THEN jsonb_build_object('iss', 'https://api.github.com', 'sub', github, 'email', email, 'user_name', 'dev' || i,
      'name', full_name, 'avatar_url', 'https://cdn.example/g/' || i)
    WHEN kind IN ('magic-link-null', 'invited') THEN NULL
    ELSE jsonb_build_object('sub', id, 'email', email, 'full_name', full_name, 'email_verified', kind <> 'unverified', 'phone_verified', false)
  END,
  CASE WHEN kind = 'super-admin' THEN true END,
  born, born + i * interval '11 hours', phone,
  CASE WHEN phone IS NOT NULL THEN born + interval '1 minute' END,
  CASE kind WHEN 'banned' THEN timestamptz '2124-06-01 00:00:00+00' WHEN 'ban-over' THEN born + interval '1 day' END,
  kind IN ('sso', 'twin-sso'),
  CASE WHEN kind = 'deleted' THEN born + interval '90 days' END,
  kind = 'anonymous'
FROM people,
     LATERAL (SELECT current_setting('company.hash_mark'), current_setting('company.token_mark'),
                     '1' || lpad((i * 7919)::text, 20, '0'), (1000000 + i)::text, 'sso:' || pg_temp.id_of('sso', 1)) AS v(hash_mark, token_mark, google, github, sso)
ORDER BY i;

INSERT INTO auth.sso_providers VALUES (pg_temp.id_of('sso', 1), 'okta', '2024-01-01', '2024-01-01', false);

-- An address with a password has an identity of its own, as Auth makes it; magic links do too.
INSERT INTO auth.identities (provider_id, user_id, identity_data, provider, last_sign_in_at, created_at, updated_at, id)
SELECT provider_id, p.id, data, provider, born + i * interval '11 hours', born, born, pg_temp.id_of('identity ' || provider, i)
  FROM people p
  CROSS JOIN LATERAL (
    SELECT 'email', p.id::text, jsonb_build_object('sub', p.id, 'email', lower(email), 'email_verified', kind NOT IN ('unverified', 'invited'), 'phone_verified', false)
     WHERE email IS NOT NULL AND kind NOT IN ('google', 'github', 'google-and-github', 'sso', 'twin-sso')
    UNION ALL
    SELECT 'google', '1' || lpad((i * 7919)::text, 20, '0'), jsonb_build_object('iss', 'https://accounts.google.com', 'sub', '1' || lpad((i * 7919)::text, 20, '0'),
           'email', email, 'name', full_name, 'email_verified', true) WHERE kind LIKE '%google%'
    UNION ALL
    SELECT 'github', (1000000 + i)::text, jsonb_build_object('iss', 'https://api.github.com', 'sub', (1000000 + i)::text, 'email', email, 'user_name', 'dev' || i)
     WHERE kind LIKE '%github'
    UNION ALL
    SELECT 'phone', p.id::text, jsonb_build_object('sub', p.id, 'phone', phone, 'phone_verified', true) WHERE phone IS NOT NULL
    UNION ALL
    SELECT 'sso:' || pg_temp.id_of('sso', 1), 'okta|' || i, jsonb_build_object('sub', 'okta|' || i, 'email', email, 'iss', 'https://okta.example')
     WHERE kind IN ('sso', 'twin-sso')
    UNION ALL
    SELECT 'email', pg_temp.obscured(p.id, p.id::text), '{}'::jsonb WHERE kind = 'deleted'
  ) AS made(provider, provider_id, data);

INSERT INTO auth.mfa_factors (id, user_id, friendly_name, factor_type, status, created_at, updated_at, secret, phone)
SELECT pg_temp.id_of('factor', i), id, 'Phone app', 'totp'::auth.factor_type, 'verified'::auth.factor_status, born, born,
       current_setting('company.totp_mark') || translate(upper(substr(pg_temp.digest_of('totp', i), 1, 21)), '0189', 'WXYZ'), NULL
  FROM people WHERE kind = 'totp'
UNION ALL
SELECT pg_temp.id_of('half factor', i), id, '', 'totp', 'unverified', born, born,
       current_setting('company.totp_mark') || translate(upper(substr(pg_temp.digest_of('half', i), 1, 21)), '0189', 'WXYZ'), NULL
  FROM people WHERE kind = 'super-admin'
UNION ALL
SELECT pg_temp.id_of('phone factor', i), id, 'SMS', 'phone', 'verified', born, born, NULL, phone FROM people WHERE kind = 'phone-and-email';

INSERT INTO auth.sessions (id, user_id, created_at, updated_at, aal, user_agent, ip)
SELECT pg_temp.id_of('session', i), id, born, born, 'aal1', 'Mozilla/5.0', '203.0.113.7' FROM people WHERE i % 3 = 0 AND kind <> 'deleted';
INSERT INTO auth.refresh_tokens (instance_id, token, user_id, revoked, created_at, updated_at, session_id)
SELECT '00000000-0000-0000-0000-000000000000', current_setting('company.token_mark') || substr(pg_temp.digest_of('refresh', i), 1, 12), id, false, born, born,
       pg_temp.id_of('session', i) FROM people WHERE i % 3 = 0 AND kind <> 'deleted';
INSERT INTO auth.one_time_tokens (id, user_id, token_type, token_hash, relates_to, created_at, updated_at)
SELECT pg_temp.id_of('one-time', i), id, 'confirmation_token', current_setting('company.token_mark') || pg_temp.digest_of('confirmation', i), email, born, born
  FROM people WHERE kind IN ('unverified', 'invited');
INSERT INTO auth.audit_log_entries (instance_id, id, payload, created_at, ip_address)
SELECT '00000000-0000-0000-0000-000000000000', pg_temp.id_of('audit', i), json_build_object('action', 'login', 'actor_id', id, 'actor_username', email), born, '203.0.113.7'
  FROM people WHERE i % 4 = 0;

-- Only from now on does a sign-up make a profile: those above get theirs with the company's own rows.
CREATE TRIGGER on_auth_user_created AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION public.make_profile();

-- A user as the Auth service shows whoever has signed in; never the hash.
-- psql -v user=00000000-0000-4000-a000-000000000000 -f signed_in_user.sql
SELECT json_strip_nulls(json_build_object(
         'id', u.id, 'aud', coalesce(u.aud, ''), 'role', coalesce(u.role, ''), 'email', coalesce(u.email, ''),
         'phone', coalesce(u.phone, ''), 'email_confirmed_at', u.email_confirmed_at, 'phone_confirmed_at', u.phone_confirmed_at,
         'invited_at', u.invited_at, 'confirmed_at', u.confirmed_at, 'last_sign_in_at', u.last_sign_in_at,
         'app_metadata', coalesce(u.raw_app_meta_data, '{}'), 'user_metadata', coalesce(u.raw_user_meta_data, '{}'),
         'identities', (SELECT coalesce(json_agg(json_build_object(
              'identity_id', i.id, 'id', i.provider_id, 'user_id', i.user_id, 'identity_data', i.identity_data, 'provider', i.provider,
              'last_sign_in_at', i.last_sign_in_at, 'created_at', i.created_at, 'updated_at', i.updated_at) ORDER BY i.created_at), '[]')
            FROM auth.identities i WHERE i.user_id = u.id),
         'factors', (SELECT json_agg(json_build_object(
              'id', f.id, 'status', f.status, 'factor_type', f.factor_type, 'friendly_name', f.friendly_name,
              'created_at', f.created_at, 'updated_at', f.updated_at) ORDER BY f.created_at)
            FROM auth.mfa_factors f WHERE f.user_id = u.id),
         'created_at', u.created_at, 'updated_at', u.updated_at, 'banned_until', u.banned_until, 'deleted_at', u.deleted_at,
         'is_anonymous', u.is_anonymous))::text
  FROM auth.users u
 WHERE u.id = :'user'::uuid;

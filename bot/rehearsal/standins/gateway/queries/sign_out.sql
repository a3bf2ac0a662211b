-- Ends this session, the others of its user, or all of them; their tokens go with them.
-- psql -v user=00000000-0000-4000-a000-000000000000 -v scope=global -v session=00000000-0000-4000-a000-000000000000 -f sign_out.sql
DELETE FROM auth.sessions
 WHERE user_id = :'user'::uuid
   AND CASE :'scope' WHEN 'local' THEN id = :'session'::uuid WHEN 'others' THEN id <> :'session'::uuid ELSE true END;

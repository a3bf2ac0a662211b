-- Ends this session, the others of its user, or all of them; their tokens go with them.
DELETE FROM auth.sessions
 WHERE user_id = %(user)s::uuid
   AND CASE %(scope)s WHEN 'local' THEN id = %(session)s::uuid WHEN 'others' THEN id <> %(session)s::uuid ELSE true END;

-- What each role that the gateway may assume has set for itself. Nothing set IN DATABASE counts here, and only
-- what an ordinary user may set: that is how PostgREST reads them.
SELECT r.rolname, split_part(own.entry, '=', 1), substr(own.entry, strpos(own.entry, '=') + 1)
  FROM pg_auth_members m
  JOIN pg_roles r ON r.oid = m.roleid
  CROSS JOIN unnest(r.rolconfig) AS own(entry)
  JOIN pg_settings known ON known.name = split_part(own.entry, '=', 1) AND known.context = 'user'
 WHERE m.member = current_user::regrole;

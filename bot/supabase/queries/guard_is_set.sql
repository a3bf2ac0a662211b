-- Does a session of our role hold the hard guard?
SELECT EXISTS (SELECT FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid
                WHERE a.datname = current_database() AND a.application_name LIKE 'cutover/%/guard'
                  AND a.usesysid = to_regrole(quote_ident(session_user))::oid
                  AND l.locktype = 'relation' AND l.mode = 'ShareLock' AND l.granted)

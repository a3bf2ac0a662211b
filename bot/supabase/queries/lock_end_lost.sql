-- Ends the session (pid, name) that held our lock on the source and that we lost, while it still holds the lock.
-- psql -v pid=0 -v name='cutover/-/lock' -f lock_end_lost.sql
SELECT pg_catalog.pg_terminate_backend(a.pid)
  FROM pg_catalog.pg_locks l
  JOIN pg_catalog.pg_stat_activity a ON a.pid OPERATOR(pg_catalog.=) l.pid
 WHERE l.locktype OPERATOR(pg_catalog.=) 'advisory' AND l.granted
   AND l.classid OPERATOR(pg_catalog.=) 1668641903::pg_catalog.oid
   AND l.objid OPERATOR(pg_catalog.=) 7759218::pg_catalog.oid
   AND a.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
   AND a.usename OPERATOR(pg_catalog.=) current_user
   AND a.pid OPERATOR(pg_catalog.=) :'pid' AND a.application_name OPERATOR(pg_catalog.=) :'name'

-- Of values by place: how many there are, and how many of them are ids of users.
-- psql -v seen='SELECT 1::bigint, gen_random_uuid()' -f reference_count.sql
SELECT seen.place, count(*) AS seen, count(u.id) AS found
  FROM (:seen) AS seen (place, id) LEFT JOIN auth.users AS u ON u.id = seen.id
 GROUP BY seen.place

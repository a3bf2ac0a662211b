-- One level of one bucket, as in a file browser: files whole, folders as a name with an empty id.
-- psql -v prefix='' -v bucket=b -v limit=1 -v offset=0 -f objects.sql
WITH below AS (
  SELECT o.*, substr(o.name, length(:'prefix') + 1) AS rest
    FROM storage.objects o WHERE o.bucket_id = :'bucket' AND starts_with(o.name, :'prefix')
), level AS (
  SELECT DISTINCT split_part(rest, '/', 1) AS name, NULL::uuid AS id, NULL::timestamptz AS created_at, NULL::timestamptz AS updated_at,
         NULL::timestamptz AS last_accessed_at, NULL::jsonb AS metadata
    FROM below WHERE rest LIKE '%/%'
  UNION ALL
  SELECT rest, id, created_at, updated_at, last_accessed_at, metadata FROM below WHERE rest NOT LIKE '%/%'
), page AS (SELECT * FROM level ORDER BY name LIMIT :'limit' OFFSET :'offset')
SELECT coalesce(json_agg(page ORDER BY name), '[]')::text FROM page;

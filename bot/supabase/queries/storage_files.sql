-- How many files Storage holds and their size, which the row's metadata tells.
SELECT count(*),
       coalesce(sum(CASE WHEN metadata ->> 'size' ~ '^\d{1,18}$' THEN (metadata ->> 'size')::numeric END), 0)::bigint
  FROM storage.objects

SELECT coalesce(json_agg(json_build_object(
         'id', id, 'name', name, 'owner', coalesce(owner_id, ''), 'public', public, 'type', type, 'file_size_limit', file_size_limit,
         'allowed_mime_types', allowed_mime_types, 'created_at', created_at, 'updated_at', updated_at) ORDER BY id), '[]')::text
  FROM storage.buckets;

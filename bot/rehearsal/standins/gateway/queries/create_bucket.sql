INSERT INTO storage.buckets (id, name) VALUES (%(id)s, %(name)s) RETURNING json_build_object('name', name)::text;

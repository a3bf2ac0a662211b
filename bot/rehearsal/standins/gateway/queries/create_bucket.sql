-- psql -v id=b -v name=b -f create_bucket.sql
INSERT INTO storage.buckets (id, name) VALUES (:'id', :'name') RETURNING json_build_object('name', name)::text;

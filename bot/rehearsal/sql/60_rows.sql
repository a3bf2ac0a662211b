-- The company's rows: first the awkward ones, by hand, then the many. Settings read: company.rows (about so many in all).
CREATE FUNCTION pg_temp.part(share numeric) RETURNS integer LANGUAGE sql STABLE
  RETURN greatest(4, (current_setting('company.rows')::numeric * share)::integer);
CREATE FUNCTION pg_temp.some_user(kind text, i bigint) RETURNS uuid LANGUAGE sql STABLE
  RETURN pg_temp.id_of('user', 1 + pg_temp.chance(kind, i, current_setting('company.users')::bigint));
CREATE FUNCTION pg_temp.moment(kind text, i bigint) RETURNS timestamptz LANGUAGE sql STABLE
  RETURN timestamptz '2024-02-01 00:00:00.5+00' + pg_temp.chance(kind, i, 50000000) * interval '1.000001 seconds';
CREATE FUNCTION pg_temp.prose(kind text, i bigint) RETURNS text LANGUAGE sql STABLE
  RETURN (ARRAY[
    'Plain words, nothing more.', E'Two\nlines and a\ttab', 'He said "no" and it''s \ that', 'Grüße aus Köln – 東京 💡 ﷽ e' || U&'\0301',
    E'control \x01\x02\x1f\x7f bytes, CSV "quotes", {json: [1]}', '  leading and trailing  ', '', '\N', 'NULL', '</script><b>&amp;', E'\u2028line separator\u2029'
  ])[1 + pg_temp.chance(kind || ' prose', i, 11)] || CASE WHEN i % 97 = 0 THEN repeat(' long – ' || pg_temp.digest_of(kind, i), 200) ELSE '' END;

INSERT INTO public.profiles (id, username, display_name, avatar_url, bio, settings, birthday, created_at)
SELECT id, 'User' || i, full_name, 'https://cdn.example/' || i, pg_temp.prose('bio', i),
       jsonb_build_object('theme', CASE i % 2 WHEN 0 THEN 'dark' ELSE 'light' END, 'limit', i * 1.50),
       CASE WHEN i % 3 > 0 THEN date '1960-01-01' + pg_temp.chance('birthday', i, 16000) END, born
  FROM people WHERE kind <> 'anonymous';
INSERT INTO public.customers
SELECT id, 'Company ' || i, ROW('Street ' || i, CASE WHEN i % 4 > 0 THEN i || 'b' END, 'Köln', point(i, i / 3.0))::public.address, i % 10 = 0,
       CASE i % 50 WHEN 0 THEN 'NaN' WHEN 1 THEN 'Infinity' ELSE i * 1.10 END
  FROM people WHERE i % 2 = 1;
INSERT INTO public.categories (id, parent_id, name)
SELECT i, CASE WHEN i > 3 THEN i / 3 END, 'Category ' || i FROM generate_series(1, pg_temp.part(0.002)) i;
SELECT setval('public.categories_id_seq', max(id)) FROM public.categories;
INSERT INTO public.products (sku, name, description, price, attributes, sizes, embedding)
SELECT 'SKU-' || i, 'Product ' || i, pg_temp.prose('product', i), (i * 1.10)::numeric,
       CASE i % 3 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE extensions.hstore(ARRAY['colour', 'red', 'a"b', NULL, '', 'empty']) END,
       ARRAY[i / 3.0, 0.1, '-0']::real[], ('[' || concat_ws(',', i, 1, 2, 3, 4, 5, 6, 0.1) || ']')::extensions.vector
  FROM generate_series(1, pg_temp.part(0.02)) i;
INSERT INTO public.product_categories
SELECT p.id, 1 + p.id % (SELECT count(*) FROM public.categories) FROM public.products p;
INSERT INTO public.orders (customer_id, status, currency, total, placed_at, note)
SELECT pg_temp.id_of('user', 1 + 2 * pg_temp.chance('customer', i, (current_setting('company.users')::bigint + 1) / 2)),
       (enum_range(NULL::public.order_status))[1 + i % 5], (ARRAY['EUR', 'USD', 'JPY'])[1 + i % 3], i * 1.10, pg_temp.moment('order', i),
       CASE WHEN i % 4 = 0 THEN pg_temp.prose('order', i) END
  FROM generate_series(1, pg_temp.part(0.10)) i;
INSERT INTO public.order_items
SELECT o.id, line, 1 + (o.id * line) % (SELECT count(*) FROM public.products), 1 + o.id % 5, (o.id * 0.10)::numeric
  FROM public.orders o, generate_series(1, 2) AS line WHERE line = 1 OR o.id % 2 = 0;
INSERT INTO public.shipments
SELECT pg_temp.id_of('shipment', id), id, path '((0,0),(1,1.5),(2,0))', point(id, -0.0), box '((0,0),(1,1))', CASE id % 9 WHEN 0 THEN 'NaN' ELSE id / 7.0 END,
       id * interval '1 month -2 days 03:04:05.000006'
  FROM public.orders WHERE id % 4 = 0;
INSERT INTO public.reviews
SELECT order_id, line, pg_temp.some_user('review', order_id), 1 + order_id % 5, (enum_range(NULL::public.mood))[1 + order_id % 3], pg_temp.prose('review', order_id)
  FROM public.order_items WHERE order_id % 5 = 0 AND line = 1;
INSERT INTO public.coupons
SELECT 'CODE' || i, ROW(i * 0.50, 'EUR')::public.money_amount, daterange(date '2024-01-01' + i, CASE WHEN i % 2 = 0 THEN date '2024-03-01' + i END), i
  FROM generate_series(1, pg_temp.part(0.003)) i;
BEGIN;
INSERT INTO public.teams SELECT i, 'Team ' || i, i FROM generate_series(1, pg_temp.part(0.002)) i;
INSERT INTO public.team_members
SELECT i, 1 + (i - 1) % (SELECT count(*) FROM public.teams), pg_temp.some_user('member', i) FROM generate_series(1, pg_temp.part(0.008)) i;
COMMIT;
INSERT INTO public.follows
SELECT a.id, b.id, a.born FROM people a JOIN people b ON b.i = a.i + 1 WHERE a.kind <> 'anonymous' AND b.kind <> 'anonymous';
INSERT INTO public.conversations
SELECT pg_temp.id_of('conversation', i), pg_temp.prose('title', i), pg_temp.moment('conversation', i) FROM generate_series(1, pg_temp.part(0.005)) i;
INSERT INTO public.conversation_members
SELECT DISTINCT pg_temp.id_of('conversation', i), pg_temp.some_user('talker ' || n, i), (ARRAY[true, false, NULL])[1 + i % 3]
  FROM generate_series(1, pg_temp.part(0.005)) i, generate_series(1, 3) n
 ORDER BY 1, 2;
INSERT INTO public.messages (conversation_id, author, body, sent_at)
SELECT pg_temp.id_of('conversation', 1 + i % pg_temp.part(0.005)), CASE WHEN i % 11 > 0 THEN pg_temp.some_user('author', i) END, pg_temp.prose('message', i),
       pg_temp.moment('message', i)
  FROM generate_series(1, pg_temp.part(0.11)) i;
INSERT INTO public.notifications
SELECT pg_temp.id_of('notification', i), pg_temp.some_user('notified', i), 'mention', jsonb_build_object('n', i, 'text', pg_temp.prose('notification', i)),
       CASE WHEN i % 2 = 0 THEN pg_temp.moment('notification', i) END
  FROM generate_series(1, pg_temp.part(0.06)) i;
INSERT INTO public.comments (reply_to, user_id, body)
SELECT CASE WHEN i > 5 THEN i / 2 END, pg_temp.some_user('comment', i), pg_temp.prose('comment', i) FROM generate_series(1, pg_temp.part(0.035)) i;
INSERT INTO public.todos (user_id, title, done)
SELECT pg_temp.some_user('todo', i), 'Todo ' || i, i % 3 = 0 FROM generate_series(1, pg_temp.part(0.035)) i;
INSERT INTO public.feedback (user_email, user_uuid, body, rating)
SELECT p.email, p.id, pg_temp.prose('feedback', p.i), p.i % 6 FROM people p WHERE p.i % 7 = 0;
INSERT INTO public.api_keys
SELECT pg_temp.id_of('key', i), pg_temp.some_user('key', i), current_setting('company.row_mark') || pg_temp.digest_of('secret', i), ARRAY['read', 'write']
  FROM generate_series(1, pg_temp.part(0.005)) i;

INSERT INTO public.documents VALUES
  (1, 'JSON null', 'null', 'null', ARRAY['null', '1', NULL]::jsonb[]), (2, 'SQL NULL', NULL, NULL, NULL),
  (3, 'duplicate keys, spaces and newlines', '{"a": 1}', E'  {"b" : 1,\n   "b":2, "a":   1.10 }\r\n', '{}'),
  (4, 'escapes', '"\u00e9 \" \\ / \n"', '"\u00e9 \" \\ \/ \n \u0000"', NULL),
  (5, 'numbers', '[1.10, 1e400, 9007199254740993, -0.0]', '[1.10, 1E+2, 9007199254740993, -0]', ARRAY['{"x": null}']::jsonb[]);
INSERT INTO public.documents
SELECT i, 'Document ' || i, jsonb_build_object('v', i, 'text', pg_temp.prose('document', i)), json_build_object('v', i), NULL
  FROM generate_series(6, 6 + pg_temp.part(0.02)) i;
INSERT INTO public.webhook_deliveries
SELECT i, format(E'{\n  "id": %s,\n  "id": %s,\n  "event":\t"order"\n}', i, i + 1)::json, '{"content-type": "application/json"}', 200
  FROM generate_series(1, pg_temp.part(0.02)) i;
INSERT INTO public.measurements VALUES
  (1, 1.10, 1.1, '-0', '-0', 9223372036854775807, 'infinity', '-infinity', 'infinity', '24:00', '24:00:00-15:59', '1 mon -1 days +00:00:00.000001'),
  (2, 'NaN', 'NaN', 'NaN', 'NaN', -9223372036854775808, '0044-03-15 12:00:00+00 BC', '4713-01-01 00:00:00 BC', '0044-03-15 BC', '00:00', '00:00+00', '-1 year'),
  (3, '1e400', 0.001, 'Infinity', '-Infinity', 0, '294276-12-31 23:59:59.999999+00', '1999-12-31 23:59:59.999999', '5874897-12-31', '23:59:59.999999', '12:00:00.5+05:45', 'infinity'),
  (4, '-Infinity', -9999999.999, 5e-324, 1e-45, 9007199254740993, '1969-12-31 23:59:59.999999+00', NULL, NULL, NULL, NULL, '00:00:00'),
  (5, 0.000000000000000000001, NULL, 0.1::float8 + 0.2::float8, 16777216, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.measurements (id, exact, approximate, taken_at)
SELECT i, i * 0.10, i / 3.0, pg_temp.moment('measured', i) FROM generate_series(6, 6 + pg_temp.part(0.04)) i;
INSERT INTO public.network_hosts
SELECT ('10.0.' || i / 250 || '.' || i % 250 || CASE i % 3 WHEN 0 THEN '/24' ELSE '' END)::inet, '2001:db8::/32', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', 'host ' || i
  FROM generate_series(1, pg_temp.part(0.005)) i;
INSERT INTO public.bookings VALUES
  (1, 'empty', '(,)', '[2024-01-01,2024-01-02)', '{}', '(1.10,)'), (2, '[2024-01-01 00:00+00,infinity]', 'empty', '[,2024-02-03)', '{[1,3),[7,9)}', NULL), (3, NULL, NULL, NULL, NULL, 'empty');
INSERT INTO public.bookings (id, during, seats)
SELECT i, tstzrange(pg_temp.moment('booking', i), pg_temp.moment('booking', i) + interval '2 hours'), int4range(i, i + 4) FROM generate_series(4, 4 + pg_temp.part(0.01)) i;
INSERT INTO public.attachments VALUES (1, '', B'000000', B'', ''), (2, '\x00ff0a0d225c', B'101010', B'1', 'a'), (3, NULL, NULL, NULL, NULL);
INSERT INTO public.attachments
SELECT i, decode(repeat(pg_temp.digest_of('bytes', i), 1 + i % 40), 'hex'), B'000001', B'10101', chr(33 + i % 90)::"char" FROM generate_series(4, 4 + pg_temp.part(0.01)) i;
INSERT INTO public.surveys VALUES
  (1, '{}', '{{1,2},{3,NULL}}', '[0:2]={1,2,3}', '{glad,NULL}', ARRAY[ROW('a "b"', NULL, 'c,d', '(1,2)'), NULL]::public.address[], '{0.10,NaN}', '{t,f,NULL}', '{infinity,"2024-01-01 00:00:00+00"}'),
  (2, '{"NULL",NULL,"","a\"b\\c","{}"}', NULL, '[-1:0][2:3]={{1,2},{3,4}}', '{}', '{}', '{}', NULL, '{}'),
  (3, NULL, '{{{1}}}', '{5}', NULL, ARRAY[ROW(NULL, NULL, NULL, NULL)]::public.address[], NULL, '{}', NULL);
INSERT INTO public.references_to_system VALUES
  (1, '16/B374D848', 4294967295, '(0,1)', 'public.mood', '$.a[*] ? (@ > 1)', 'fat & (rat | cat:*)'), (2, NULL, NULL, NULL, NULL, NULL, NULL);

INSERT INTO public.events (occurred_at, user_id, name, properties)
SELECT timestamptz '2024-01-01 00:00+00' + (i * 730.0 / pg_temp.part(0.16)) * interval '23.9 hours', CASE WHEN i % 5 > 0 THEN pg_temp.some_user('event', i) END,
       (ARRAY['opened', 'clicked', 'closed'])[1 + i % 3], CASE WHEN i % 2 = 0 THEN jsonb_build_object('i', i) END
  FROM generate_series(1, pg_temp.part(0.16)) i;
INSERT INTO public.vehicles VALUES (1, 'K-AB 1', 4), (2, 'K-AB 2', NULL);
INSERT INTO public.trucks VALUES (1, 'K-TR 1', 6, 7500.50), (4, 'K-TR 4', 8, 'NaN');
INSERT INTO public.audit_trail SELECT timestamptz '2024-05-01 00:00+00' + (i / 2) * interval '1 second', 'system', 'tick', '::1' FROM generate_series(1, pg_temp.part(0.03)) i;
INSERT INTO public.no_columns DEFAULT VALUES;
INSERT INTO public.no_columns DEFAULT VALUES;
INSERT INTO public.session_cache SELECT 'key ' || i, pg_temp.digest_of('cache', i), 'infinity' FROM generate_series(1, pg_temp.part(0.005)) i;
INSERT INTO public.settings VALUES ('site', 'a company'), ('motto', E'we "move"\nhouse');
INSERT INTO public."Customer Notes 2024" SELECT i, pg_temp.prose('note', i), 'é' FROM generate_series(1, pg_temp.part(0.003)) i;
INSERT INTO public."order" VALUES (1, 'a column named t', 'and one named x', 'and row'), (2, NULL, NULL, NULL);
INSERT INTO public.metadata VALUES ('schema', '{"version": 3}'), ('nothing', 'null');
INSERT INTO public.auth_users VALUES (1, 'old.login'), (2, NULL);
INSERT INTO public.billing_plans VALUES (1, 'Bronze');

INSERT INTO billing.plans VALUES ('free', 0.00, '{}'), ('team', 49.90, '{sso,"priority, support"}'), ('legacy', 10.10, NULL);
INSERT INTO billing.subscriptions
SELECT pg_temp.id_of('subscription', i), id, (ARRAY['free', 'team', 'legacy'])[1 + i % 3], born, CASE WHEN i % 6 = 0 THEN born + interval '1 year' END
  FROM people WHERE i % 4 = 1;
INSERT INTO billing.invoices
SELECT 9007199254740992 + i, pg_temp.id_of('subscription', i), (born + interval '1 month')::date, i * 1.19 FROM people WHERE i % 4 = 1;
INSERT INTO billing.payments (invoice, paid_at, method)
SELECT number, '2024-06-01', jsonb_build_object('iban', 'DE00', 'mandate', NULL) FROM billing.invoices WHERE number % 3 > 0;

SELECT nextval('public.ticket_numbers') FROM generate_series(1, 5);
REFRESH MATERIALIZED VIEW public.sales_by_month;

INSERT INTO storage.buckets (id, name, owner, public, file_size_limit, allowed_mime_types, created_at, updated_at) VALUES
  ('avatars', 'avatars', NULL, true, 1048576, '{image/png,image/jpeg}', '2024-01-01', '2024-01-01'),
  ('contracts', 'contracts', NULL, false, NULL, NULL, '2024-01-01', '2024-01-01');
INSERT INTO storage.objects (id, bucket_id, name, owner, owner_id, metadata, version, created_at, updated_at, last_accessed_at)
SELECT pg_temp.id_of('object', i), CASE i % 5 WHEN 0 THEN 'contracts' ELSE 'avatars' END, id || '/größe ' || i || '.png', id, id::text,
       jsonb_build_object('size', 1000 + i, 'mimetype', 'image/png', 'eTag', '"' || pg_temp.digest_of('etag', i) || '"'), pg_temp.id_of('version', i)::text, born, born, born
  FROM people WHERE i % 3 = 0;
INSERT INTO vault.secrets (id, name, secret, created_at, updated_at) VALUES
  (pg_temp.id_of('vault', 1), 'payment provider', current_setting('company.row_mark') || 'vault', '2024-01-01', '2024-01-01');

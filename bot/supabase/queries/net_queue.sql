-- Requests that pg_net has still to send; asked only where its table is there.
SELECT 'queued request', count(*)::text FROM net.http_request_queue HAVING count(*) > 0

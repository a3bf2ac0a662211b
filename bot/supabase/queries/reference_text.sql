-- Text that is as long as an id and looks like one. Its length is known before it is fetched, and a search in text of some
-- hundred megabytes would be beyond the server's memory for one.
CASE WHEN octet_length({value}::text) = 36 THEN CASE WHEN {value}::text ~ {pattern} THEN {value}::text::uuid END END

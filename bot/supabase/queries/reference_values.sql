-- Each value whole. Only the form that uuid has as text counts: an import compares with that.
SELECT {place}::bigint AS place, {id} AS id FROM {rows} WHERE {value} IS NOT NULL

-- Written as JSON and read back.
(SELECT back.value::text FROM json_to_record(json_build_object('value', {column})) AS back (value {type})) IS DISTINCT FROM {column}::text

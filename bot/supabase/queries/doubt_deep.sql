-- Written as JSON and read back.
format('%s', (SELECT back.value FROM json_to_record(json_build_object('value', {column})) AS back (value {type}))) <> format('%s', {column})

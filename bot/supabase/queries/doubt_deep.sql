-- Written as JSON and read back.
(json_populate_record(NULL::{type}, json_build_object({name}::text, {column}))).{field}::text IS DISTINCT FROM {column}::text

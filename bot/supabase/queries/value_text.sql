-- A value's text by its type's output function, whatever casts somebody has made for the type. A composite of NULLs is a value.
CASE WHEN {value} IS DISTINCT FROM NULL THEN format('%s', {value}) END

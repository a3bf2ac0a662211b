SELECT CASE current_setting('cutover.done') WHEN 'thawed' THEN 'Thawed.' ELSE 'There was nothing to thaw.' END AS cutover,
       current_setting('cutover.not_ended') AS sessions_not_ended;

SELECT current_setting('cutover.done') AS cutover, current_setting('cutover.not_ended') AS sessions_not_ended;

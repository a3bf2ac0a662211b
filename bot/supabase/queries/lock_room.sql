-- For how many locks on tables the server is sure to have room, all sessions together.
SELECT current_setting('max_locks_per_transaction')::int
         * (current_setting('max_connections')::int + current_setting('max_prepared_transactions')::int) AS lock_room

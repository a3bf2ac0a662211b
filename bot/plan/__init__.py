"""The core: what the night is, what may happen in it, and what must happen next.

Pure: standard library and pydantic only; no socket, file, clock or chance. Time, ids and answers from the world
come in as arguments, and what should be done to the world goes out as values.

    events   -> run       fold(events) gives the run; nothing else is state
    command  -> decide    (run, command, now) gives new events, or a refusal that changes nothing
    run      -> actions   next_actions(run) says what must happen now, each with its idempotency key
    run      -> timetable which timers should be armed
    run      -> talk      which posts the channel is owed, and the sentences in them
"""

"""The rehearsal's page: one local server, one page, and everything that a person can do in the night on it.

    door      who may come in: Host, Origin, a cookie for the token of the address that was printed
    server    the port, the files of the page, and its one WebSocket
    board     what every open page shows, sent when it changes
    views     messages, users and the world as JSON
    acts      what a page may ask for, each act with its form; `doing` does them
    hints     the one line that leads a first-timer
    timeline  how long each checkpoint and each step took
    styles    the policy for the run's report, which brings its own style
    play      the command: a night, its page, its end

The browser shows what it is sent and asks for what a person presses; it decides nothing, and keeps nothing but what
was typed. There is no build step: `static/` is served as it is, and nothing on it comes from elsewhere.
"""

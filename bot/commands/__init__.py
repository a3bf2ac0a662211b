"""One command, one file: settings in, sentences out, an exit code back. `bot.cli` parses and dispatches."""

-- A message for each chunk, in their order: its number, how many rows, whether one is in doubt, their text.
COPY ({chunks}) TO STDOUT (FORMAT binary)

"""The freeze put to the proof: `examiner` asks, `movement` compares two looks, `notice` asks what the public sees."""

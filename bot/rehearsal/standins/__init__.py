"""The outside world, played strictly. It imports no `bot`: a misreading shared by both sides passes every test."""

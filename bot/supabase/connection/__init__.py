"""How a session comes about: the connection string, the causes of a failure, and a deadline that is always kept."""

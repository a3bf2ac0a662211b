-- The locks and settings of before stay; whatever is done from here on is undone after each statement.
SAVEPOINT begun; {settings}

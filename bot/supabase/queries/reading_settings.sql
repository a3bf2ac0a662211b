{settings};
ROLLBACK TO SAVEPOINT begun

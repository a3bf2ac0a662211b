-- One message: the rows are the last result but two, the settings after the last row the last but one.
{plan}
{select};
{settings};
ROLLBACK TO SAVEPOINT begun

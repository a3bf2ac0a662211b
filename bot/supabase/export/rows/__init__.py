"""Rows off the server into files, whatever their number, in a few megabytes.

layout        where a table's rows lie, and how the reading of it is divided
table_plan    how one table is exported: a value
statements    the SQL
wire          chunks of rows, off the connection
table_file    one table's file, written in order by several strands
big_table     one big table, by several workers
small_tables  many small ones, by one statement
doubts        whether the data have values that JSON cannot carry
counting      the rows counted once more
record        what has come of a table, up to its entry in metadata.json
writers       the workers, and the queue of what they do
waiting       waiting inside a transaction
explained     what an error of the server means for the table that was read
"""

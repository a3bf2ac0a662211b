"""Rows off the server into files, whatever their number, in a few megabytes.

layout       where a table's rows lie, and how the reading of it is divided
statements   the SQL
wire         chunks of rows, off the connection
tablefile    one table's file, written in order by several strands
tablework    what is known of one table while it is exported
todo         what is to be done by whoever is free
explained    what an error of the server means for the table that was read
crew         the workers
"""

"""A described table of plays, whatever its columns, to the raw tables of HetRec's files."""

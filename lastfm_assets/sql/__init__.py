"""The whole store, and HetRec's relational schema, asked in SQL."""

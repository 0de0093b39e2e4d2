"""The chain inside Spark: same keys, tables and rules; pyspark is imported once it is needed."""

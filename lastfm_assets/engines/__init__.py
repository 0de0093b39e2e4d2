"""What carries the chain out: Spark, for those who outgrow one machine; all else is local."""

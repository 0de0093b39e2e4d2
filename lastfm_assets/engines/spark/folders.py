"""Folders that executors write: removed where Spark, and not this process, reaches them."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def forget(spark: "SparkSession", place: str) -> None:
    """Removes a folder and what is in it, if it is there.

    Args:
        spark: whose Hadoop file systems are asked.
        place: a path or URL as Spark reads it.
    """
    context: Any = spark.sparkContext
    path = context._jvm.org.apache.hadoop.fs.Path(place)  # noqa: SLF001 (pyspark has no other way)
    path.getFileSystem(context._jsc.hadoopConfiguration()).delete(path, True)  # noqa: FBT003, SLF001

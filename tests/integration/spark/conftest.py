"""What tests of the Spark engine share: one standalone cluster, and one session with it a module.

Where Java or pyspark is missing, tests skip.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from quick_spark import QUICK, small_cluster

from lastfm_assets.engines.spark.cluster import StandaloneCluster
from lastfm_assets.engines.spark.session import spark_session


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Lets pyspark say that it does not know pandas 3 yet: none of its parts that we use mind."""
    here = Path(__file__).parent
    unknown = "ignore:PySpark does not yet fully support pandas:FutureWarning"
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings(unknown))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandaloneCluster]:
    """A master and two workers, real and separate JVMs on loopback."""
    with small_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(scope="module")
def spark(cluster: StandaloneCluster) -> Iterator[Any]:
    """One session for all tests of a module."""
    with spark_session(cluster.url, QUICK, timeout=180) as session:
        yield session


@pytest.fixture
def spark_store(tmp_path: Path) -> Path:
    """A folder for a store."""
    return tmp_path / "spark_store"

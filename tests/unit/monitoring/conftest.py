"""Fixtures for the tables of runs: an instance, and the warehouse of its runs."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from tests.support.monitoring import Monitoring


@pytest.fixture
def monitoring(tmp_path: Path) -> Iterator[Monitoring]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Monitoring(instance, tmp_path / "warehouse" / "dwh.duckdb")

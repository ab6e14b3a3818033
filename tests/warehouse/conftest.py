"""What the warehouse tests share: one parse of the dbt project, and warehouses to build with it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from veracitypro_pipeline.settings import REPOSITORY_DIR

from .building import Project, Warehouse, parse_project


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The dbt project, parsed once for the local target."""
    return parse_project(REPOSITORY_DIR / "dbt_project", tmp_path_factory.mktemp("dbt"))


@pytest.fixture
def new_warehouse(project: Project, tmp_path: Path) -> Callable[[], Warehouse]:
    """Makes empty warehouses, each in a folder of its own."""
    made: list[Warehouse] = []

    def make() -> Warehouse:
        made.append(Warehouse(project, tmp_path / str(len(made))))
        return made[-1]

    return make


@pytest.fixture
def warehouse(new_warehouse: Callable[[], Warehouse]) -> Warehouse:
    return new_warehouse()

"""What the warehouse tests share: one parse of the dbt project, warehouses to build with it, and an
emulated Snowflake account with its bucket."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from emulator.running import Emulator, s3_of, start_emulator
from pydantic import SecretStr

from veracitypro_pipeline.cli.infra import FOLDER, make, parameters_of
from veracitypro_pipeline.local.s3 import S3Server, start_s3
from veracitypro_pipeline.raw.engines import raw_engine
from veracitypro_pipeline.resources.snowflake_infra import statements_of
from veracitypro_pipeline.resources.snowflake_warehouse import SnowflakeWarehouse
from veracitypro_pipeline.settings import REPOSITORY_DIR, Settings

from .building import Project, Warehouse, parse_project
from .site import KEY_ID, SECRET, Site

STORAGE_ROLE = "arn:aws:iam::123456789012:role/vp-snowflake-dev"


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


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    folder = tmp_path_factory.mktemp("landing") / "s3"
    (folder / Settings.load(environment="dev").raw_bucket).mkdir(parents=True)
    server = start_s3(folder, KEY_ID, SECRET)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory, s3_server: S3Server) -> Iterator[Emulator]:
    running = start_emulator(
        tmp_path_factory.mktemp("emulator"), s3_of(s3_server.url, KEY_ID, SECRET)
    )
    yield running
    running.stop()


@pytest.fixture(scope="session")
def snowflake(emulator: Emulator, s3_server: S3Server) -> Site:
    """The account as infra/snowflake makes it, with an empty RAW."""
    settings = emulator.settings(
        aws_endpoint_url_s3=s3_server.url,
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SecretStr(SECRET),
        snowflake_storage_role_arn=STORAGE_ROLE,
    )
    administrator = SnowflakeWarehouse.of(settings, {}, role="ACCOUNTADMIN")
    with administrator.session() as session:
        make(session, statements_of(FOLDER, parameters_of(settings)))
    site = Site(settings, s3_server)
    raw_engine(site.warehouse).prepare(site.warehouse)
    return site


@pytest.fixture(scope="session")
def duckdb_site(tmp_path_factory: pytest.TempPathFactory, s3_server: S3Server) -> Site:
    """DuckDB on the same bucket."""
    settings = Settings.load(
        environment="local",
        warehouse_file=tmp_path_factory.mktemp("duckdb") / "warehouse.duckdb",
        aws_endpoint_url_s3=s3_server.url,
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SecretStr(SECRET),
    )
    site = Site(settings, s3_server)
    raw_engine(site.warehouse).prepare(site.warehouse)
    return site

"""`vp infra` on an empty account: it lists what is missing and creates it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.emulator.running import Emulator, start_emulator
from tests.support.warehouse.site import STORAGE_ROLE
from veracitypro_pipeline.cli.main import vp
from veracitypro_pipeline.resources.dbt import command as dbt_command
from veracitypro_pipeline.resources.warehouse.on_snowflake import SnowflakeWarehouse
from veracitypro_pipeline.resources.warehouse.protocol import WarehouseRejectedError
from veracitypro_pipeline.settings import variable_of
from veracitypro_pipeline.statement import Statement

pytestmark = pytest.mark.xdist_group("snowflake")


@pytest.fixture(scope="module")
def empty_account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    running = start_emulator(tmp_path_factory.mktemp("emulator"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "administrator.p8"
    path.write_bytes(
        rsa.generate_private_key(public_exponent=65_537, key_size=2_048).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@pytest.fixture
def run(empty_account: Emulator, key: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """An administrator, who signs in with a key pair."""
    for field, value in {
        "environment": "dev",
        "snowflake_account": "emulated",
        "snowflake_user": "ADMINISTRATOR",
        "snowflake_private_key_path": str(key),
        "snowflake_url": empty_account.url,
        "snowflake_storage_role_arn": STORAGE_ROLE,
    }.items():
        monkeypatch.setenv(variable_of(field), value)
    return CliRunner()


def test_an_empty_account_is_furnished_once(run: CliRunner) -> None:
    planned = run.invoke(vp, ["infra", "plan"])
    assert planned.exit_code == 1, planned.output
    assert "missing  01_roles.sql  create role if not exists DAGSTER_ROLE" in planned.output
    assert "missing  sources/keepa.sql  create table if not exists VP_DWH.RAW.KEEPA_RAW" in (
        planned.output
    )

    applied = run.invoke(vp, ["infra", "apply"])
    assert applied.exit_code == 0, applied.output
    made = [line for line in applied.output.splitlines() if line.startswith("made ")]
    assert len(made) > 50
    assert made == sorted(made, key=lambda line: line.split()[1])

    planned = run.invoke(vp, ["infra", "plan"])
    assert planned.exit_code == 0, planned.output
    assert planned.output.startswith("Nothing is missing")

    again = run.invoke(vp, ["infra", "apply"])
    assert again.output == "Nothing was missing.\n"


def test_a_column_that_an_older_account_lacks_is_added(
    run: CliRunner, empty_account: Emulator
) -> None:
    run.invoke(vp, ["infra", "apply"])
    settings = empty_account.settings(snowflake_storage_role_arn=STORAGE_ROLE)
    with SnowflakeWarehouse.of(settings, {}, role="SYSADMIN").session() as session:
        session.run(Statement("alter table MONITORING.LOAD_LEDGER drop column arrived_at"))

    planned = run.invoke(vp, ["infra", "plan"])
    assert planned.exit_code == 1, planned.output
    assert planned.output.splitlines()[0] == (
        "missing  06_tables.sql  alter table VP_DWH.MONITORING.LOAD_LEDGER add column if not exists"
    )
    applied = run.invoke(vp, ["infra", "apply"])
    assert applied.output.endswith(" statements 1 ran. Nothing is missing now.\n")
    with SnowflakeWarehouse.of(settings, {}, role="SYSADMIN").session() as session:
        assert session.query("select arrived_at from MONITORING.LOAD_LEDGER").rows == []


def test_statements_that_snowflake_would_refuse_are_named(
    run: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`test_snowflake_build` compiles all statements of the project."""
    run.invoke(vp, ["infra", "apply"])
    statements = {
        "model/sound": "select source_file from RAW.KEEPA_RAW",
        "model/wrong": "select nothing from RAW.KEEPA_RAW;",
        "test/forbidden": "select source_file from MONITORING.LOAD_LEDGER",
    }
    monkeypatch.setattr(dbt_command, "compiled", lambda _: statements)
    explained = run.invoke(vp, ["infra", "explain"])
    assert explained.exit_code == 1, explained.output
    wrong, forbidden, total = explained.output.splitlines()
    assert wrong.startswith("rejected model/wrong  ")
    assert "NOTHING" in wrong
    assert "DBT_ROLE lacks SELECT" in forbidden
    assert total == "2 of 3 statements are rejected."


def test_the_local_environment_needs_none(run: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VP_ENVIRONMENT", "local")
    refused = run.invoke(vp, ["infra", "plan"])
    assert refused.exit_code == 2
    assert "needs no infrastructure" in refused.output


def test_people_query_by_vp_sql_and_cannot_write(run: CliRunner, empty_account: Emulator) -> None:
    run.invoke(vp, ["infra", "apply"])
    asked = run.invoke(vp, ["sql", "select count(*) as n from RAW.KEEPA_RAW", "--format", "json"])
    assert asked.exit_code == 0, asked.output
    assert asked.output == '[\n {\n  "n": 0\n }\n]\n'
    several = run.invoke(vp, ["sql", "select 1; select ';' -- ; "])
    assert several.exit_code == 2
    assert "There are 2 statements: run one at a time." in several.output
    for query in ("delete from RAW.KEEPA_RAW", "/* select */ drop table RAW.KEEPA_RAW"):
        refused = run.invoke(vp, ["sql", query])
        assert refused.exit_code == 2
        assert "Only a statement that reads can be run here" in refused.output
    # The role rejects a write that the text does not show.
    reader = SnowflakeWarehouse.of(empty_account.settings(), {}, is_reader=True)
    for sql in (
        "delete from RAW.KEEPA_RAW",
        "insert into MONITORING.LOAD_LEDGER select * from MONITORING.LOAD_LEDGER",
        "create table MART.MINE (a integer)",
    ):
        with (
            pytest.raises(WarehouseRejectedError, match=r"not authorized|Insufficient privileges"),
            reader.session() as session,
        ):
            session.run(Statement(sql))

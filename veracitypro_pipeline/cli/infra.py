"""`vp infra`: compares a Snowflake account with `infra/snowflake`, and creates what it lacks."""

from typing import Final

import click

from veracitypro_pipeline.cli.main import FAILED, CannotDo, common_options
from veracitypro_pipeline.infra_plan import (
    SHOWN,
    Grant,
    InfraObject,
    InfraStatement,
    grants_shown,
    missing,
    objects_shown,
    statements_of,
)
from veracitypro_pipeline.resources.warehouse.on_snowflake import (
    SnowflakeTransaction,
    SnowflakeWarehouse,
)
from veracitypro_pipeline.settings import REPOSITORY_DIR, Settings
from veracitypro_pipeline.statement import Statement

FOLDER: Final = REPOSITORY_DIR / "infra" / "snowflake"
ADMIN_ROLE: Final = "ACCOUNTADMIN"

_role = click.option(
    "--role",
    default=ADMIN_ROLE,
    show_default=True,
    help="Role that signs in. It must hold the four roles of the statements: ACCOUNTADMIN,"
    " SYSADMIN, SECURITYADMIN and USERADMIN.",
)


@click.group(short_help="Plan and create what infra/snowflake declares.")
def infra() -> None:
    """Compare Snowflake's objects, roles and grants with infra/snowflake."""


@infra.command()
@_role
@common_options
def plan(role: str) -> None:
    """List what is missing and change nothing. Exit code 0 if nothing is missing, else 1."""
    settings = _settings()
    statements = statements_of(FOLDER, parameters_of(settings))
    with _account(settings, role).session() as session:
        lacking = missing(statements, existing(session, statements, settings, role))
    for statement in lacking:
        click.echo(f"missing  {statement.file}  {statement.title}")
    if lacking:
        click.echo(f"{len(lacking)} of {len(statements)} statements; `vp infra apply` runs them.")
        raise click.exceptions.Exit(FAILED)
    click.echo(f"Nothing is missing: all {len(statements)} statements of infra/snowflake hold.")


@infra.command()
@_role
@common_options
def apply(role: str) -> None:
    """Create what is missing, in order. Existing objects stay as they are."""
    settings = _settings()
    statements = statements_of(FOLDER, parameters_of(settings))
    with _account(settings, role).session() as session:
        lacking = missing(statements, existing(session, statements, settings, role))
        make(session, lacking)
        # Some grants are visible only once the database exists, so all are compared again.
        still = missing(statements, existing(session, statements, settings, role))
    if still:
        raise CannotDo(
            f"All statements ran, but {len(still)} of {len(statements)} are still missing, first"
            f" {still[0].file}: {still[0].title}; compare it with SHOW in a worksheet."
        )
    click.echo(
        f"Of {len(statements)} statements {len(lacking)} ran. Nothing is missing now."
        if lacking
        else "Nothing was missing."
    )


@infra.command()
@common_options
def explain() -> None:
    """List the statements of dbt that Snowflake rejects.

    Snowflake compiles each with dbt's role and runs none. Use it after a first night: a statement
    on a missing table is rejected, too. Exit code 0 if none is rejected, else 1.
    """
    from veracitypro_pipeline.resources.dbt.command import compiled

    settings = _settings()
    statements = compiled(settings)
    rejected = {}
    with _account(settings, settings.snowflake_dbt_role).session() as session:
        for name, sql in statements.items():
            if reason := session.refusal(f"explain using text\n{sql.rstrip().rstrip(';')}"):
                rejected[name] = reason
    for name, reason in rejected.items():
        click.echo(f"rejected {name}  {reason}")
    click.echo(f"{len(rejected)} of {len(statements)} statements are rejected.")
    if rejected:
        raise click.exceptions.Exit(FAILED)


def parameters_of(settings: Settings) -> dict[str, str]:
    """The values for `${...}` in the files."""
    settings.require("snowflake_storage_role_arn")
    return {
        "environment": settings.environment,
        "database": settings.snowflake_database,
        "raw_bucket": settings.raw_bucket,
        "storage_role_arn": str(settings.snowflake_storage_role_arn),
        "credit_quota": f"{settings.snowflake_credit_quota:.0f}",
    }


def existing(
    session: SnowflakeTransaction, statements: list[InfraStatement], settings: Settings, role: str
) -> frozenset[InfraObject | Grant]:
    """The objects and grants of these kinds in the account that the role can see."""
    database = settings.snowflake_database
    session.run(Statement(f"use role {role}"))
    found: set[InfraObject | Grant] = set()
    for kind, show in SHOWN.items():
        # SHOW in a missing database is an error.
        if "{database}" not in show or InfraObject("DATABASE", database) in found:
            rows = session.query(show.format(database=database)).dicts()
            found.update(objects_shown(kind, database, rows))
    roles = {made.role for one in statements for made in one.makes if isinstance(made, Grant)}
    for role in sorted(roles):
        if InfraObject("ROLE", role) in found:
            for future in ("", "future "):
                rows = session.query(f"show {future}grants to role {role}").dicts()
                found.update(grants_shown(role, rows, is_future=bool(future)))
    return frozenset(found)


def make(session: SnowflakeTransaction, statements: list[InfraStatement]) -> None:
    """Run the statements, each with its role, and print each."""
    for statement in statements:
        session.run(Statement(f"use role {statement.role}"))
        session.run(Statement(statement.sql))
        click.echo(f"made     {statement.file}  {statement.title}")


def _settings() -> Settings:
    settings = Settings.load()
    if settings.environment == "local":
        raise CannotDo(
            "The local environment runs on DuckDB and needs no infrastructure: set VP_ENVIRONMENT"
            " to dev or prod, and SNOWFLAKE_USER to an administrator."
        )
    return settings


def _account(settings: Settings, role: str) -> SnowflakeWarehouse:
    return SnowflakeWarehouse.of(settings, {"app": "vp infra"}, role=role)

"""`vp infra`: what of `infra/snowflake` an account lacks, and making it."""

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
    help="Role that signs in and looks. It must hold the four that make things: ACCOUNTADMIN,"
    " SYSADMIN, SECURITYADMIN and USERADMIN.",
)


@click.group(short_help="Plan and make what infra/snowflake describes.")
def infra() -> None:
    """Snowflake objects, roles and grants, as infra/snowflake describes them."""


@infra.command()
@_role
@common_options
def plan(role: str) -> None:
    """Say what is missing. Exit code 0 if nothing is, else 1; nothing is changed."""
    settings = _settings()
    statements = statements_of(FOLDER, parameters_of(settings))
    with _account(settings, role).session() as session:
        lacking = missing(statements, what_is_there(session, statements, settings, role))
    for statement in lacking:
        click.echo(f"missing  {statement.file}  {statement.title}")
    if lacking:
        click.echo(f"{len(lacking)} of {len(statements)} statements; `vp infra apply` runs them.")
        raise click.exceptions.Exit(FAILED)
    click.echo(f"Nothing is missing: all of {len(statements)} statements of infra/snowflake hold.")


@infra.command()
@_role
@common_options
def apply(role: str) -> None:
    """Make what is missing, in order. What is there stays as it is."""
    settings = _settings()
    statements = statements_of(FOLDER, parameters_of(settings))
    with _account(settings, role).session() as session:
        lacking = missing(statements, what_is_there(session, statements, settings, role))
        make(session, lacking)
        # Rights given to a role may not be there to see before its database is.
        still = missing(statements, what_is_there(session, statements, settings, role))
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
    """Say which statements of dbt Snowflake refuses.

    It compiles each as dbt's role and runs none. Use it after a first night, because a statement
    about a table that is not there is refused, too. Exit code 0 if none is refused, else 1.
    """
    from veracitypro_pipeline.resources.dbt.command import compiled

    settings = _settings()
    statements = compiled(settings)
    refusals = {}
    with _account(settings, settings.snowflake_dbt_role).session() as session:
        for name, sql in statements.items():
            if refusal := session.refusal(f"explain using text\n{sql.rstrip().rstrip(';')}"):
                refusals[name] = refusal
    for name, refusal in refusals.items():
        click.echo(f"refused  {name}  {refusal}")
    click.echo(f"{len(refusals)} of {len(statements)} statements are refused.")
    if refusals:
        raise click.exceptions.Exit(FAILED)


def parameters_of(settings: Settings) -> dict[str, str]:
    """What stands for `${...}` in the files."""
    settings.require("snowflake_storage_role_arn")
    return {
        "environment": settings.environment,
        "database": settings.snowflake_database,
        "raw_bucket": settings.raw_bucket,
        "landing_prefix": settings.landing_prefix,
        "storage_role_arn": str(settings.snowflake_storage_role_arn),
        "credit_quota": f"{settings.snowflake_credit_quota:.0f}",
    }


def what_is_there(
    session: SnowflakeTransaction, statements: list[InfraStatement], settings: Settings, role: str
) -> frozenset[InfraObject | Grant]:
    """Everything in the account that a statement might make, as far as the role sees it."""
    database = settings.snowflake_database
    session.run(Statement(f"use role {role}"))
    there: set[InfraObject | Grant] = set()
    for kind, show in SHOWN.items():
        # Only in a database that exists can be looked.
        if "{database}" not in show or InfraObject("DATABASE", database) in there:
            rows = session.query(show.format(database=database)).dicts()
            there.update(objects_shown(kind, database, rows))
    roles = {made.role for one in statements for made in one.makes if isinstance(made, Grant)}
    for role in sorted(roles):
        if InfraObject("ROLE", role) in there:
            for future in ("", "future "):
                rows = session.query(f"show {future}grants to role {role}").dicts()
                there.update(grants_shown(role, rows, is_future=bool(future)))
    return frozenset(there)


def make(session: SnowflakeTransaction, statements: list[InfraStatement]) -> None:
    """Run the statements, each as its role, and say so."""
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

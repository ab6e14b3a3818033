"""What `infra/snowflake` asks of an account, and what of it is missing. Pure: SQL and rows in.

The files hold one statement after another, in the order in which they must run, and only of the
kinds below: what exists already is then told from the statement itself. A statement runs as the
role of the `use role` before it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Final

from veracitypro_pipeline.settings import SNOWFLAKE_NAME

# What a value must look like to stand in a statement: none can end a literal or a name.
PARAMETERS: Final[Mapping[str, re.Pattern[str]]] = {
    "environment": re.compile(r"dev|prod"),
    "database": SNOWFLAKE_NAME,
    "raw_bucket": re.compile(r"[a-z0-9][a-z0-9.-]{2,62}"),
    "storage_role_arn": re.compile(r"arn:aws:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+"),
    "credit_quota": re.compile(r"[1-9][0-9]*"),
}

# How an object is listed: by what SHOW, and whether its rows name a schema.
SHOWN: Final[Mapping[str, str]] = {
    "ROLE": "show roles",
    "RESOURCE MONITOR": "show resource monitors",
    "WAREHOUSE": "show warehouses",
    "STORAGE INTEGRATION": "show integrations",
    "DATABASE": "show databases",
    "SCHEMA": "show schemas in database {database}",
    "STAGE": "show stages in database {database}",
    "FILE FORMAT": "show file formats in database {database}",
    "TABLE": "show tables in database {database}",
    "COLUMN": "show columns in database {database}",
    "VIEW": "show views in database {database}",
}
_IN_SCHEMA: Final = frozenset({"STAGE", "FILE FORMAT", "TABLE", "VIEW"})

_CREATE: Final = re.compile(
    rf"create (?P<kind>{'|'.join(SHOWN).lower()}) if not exists (?P<name>[\w.]+)\b", re.IGNORECASE
)
_ADD_COLUMN: Final = re.compile(
    r"alter table (?P<table>[\w.]+) add column if not exists (?P<name>\w+) \w+", re.IGNORECASE
)
_GRANT: Final = re.compile(
    r"grant (?P<privileges>[a-z, ]+) on (?P<future>future )?(?P<on>[a-z]+)"
    r"(?: in schema)? (?P<name>[\w.]+) to role (?P<role>\w+)",
    re.IGNORECASE,
)
_GRANT_ROLE: Final = re.compile(r"grant role (?P<name>\w+) to role (?P<role>\w+)", re.IGNORECASE)
_USE_ROLE: Final = re.compile(r"use role (?P<role>\w+)", re.IGNORECASE)


class InfraError(ValueError):
    """A file or a parameter is not as it must be. One sentence with the next step."""


@dataclass(frozen=True)
class Grant:
    """A privilege as SHOW GRANTS lists it; a future grant's name ends in its kind: `<TABLE>`."""

    role: str
    privilege: str
    on: str
    name: str
    is_future: bool = False


@dataclass(frozen=True)
class InfraObject:
    """An object by its kind and full name, e.g. TABLE VP_DWH.RAW.KEEPA_RAW.

    A column's name is that of its table and its own.
    """

    kind: str
    name: str


@dataclass(frozen=True)
class InfraStatement:
    """One statement of `infra/snowflake`, and what is there once it has run."""

    file: str
    role: str
    sql: str
    makes: tuple[InfraObject | Grant, ...]

    @property
    def title(self) -> str:
        """Its first line, for people."""
        return " ".join(self.sql.split("\n")[0].rstrip(" (").split())


def statements_of(folder: Path, parameters: Mapping[str, str]) -> list[InfraStatement]:
    """Every statement of the folder's files, in order: first what is shared, then each source's.

    Raises:
        InfraError: a parameter has another form than it must, or a statement is of no known kind.
    """
    for name, form in PARAMETERS.items():
        if not form.fullmatch(parameters.get(name, "")):
            raise InfraError(
                f"The parameter {name} of infra/snowflake is {parameters.get(name, '')!r}: expected"
                f" a value of the form {form.pattern}."
            )
    found: list[InfraStatement] = []
    for file in (*sorted(folder.glob("*.sql")), *sorted(folder.glob("sources/*.sql"))):
        name = str(file.relative_to(folder))
        text = Template(file.read_text(encoding="utf-8")).substitute(parameters)
        role: str | None = None
        for sql in _split(text):
            used = _USE_ROLE.fullmatch(sql)
            if used:
                role = used.group("role").upper()
            elif role is None:
                raise InfraError(f"{name} has no `use role` before its first statement.")
            else:
                found.append(InfraStatement(name, role, sql, _made_by(sql, name)))
    if not found:
        raise InfraError(f"There are no statements in {folder}: run this in a checkout.")
    return found


def missing(
    statements: Sequence[InfraStatement], there: frozenset[InfraObject | Grant]
) -> list[InfraStatement]:
    """The statements of which something is not there, in order."""
    return [statement for statement in statements if not there.issuperset(statement.makes)]


def objects_shown(
    kind: str, database: str, rows: Sequence[Mapping[str, object]]
) -> Iterator[InfraObject]:
    """The objects in the rows of a `SHOW` of `SHOWN`."""
    for row in rows:
        if kind == "COLUMN":
            parts = [database, row["schema_name"], row["table_name"], row["column_name"]]
        elif kind == "SCHEMA":
            parts = [database, row["name"]]
        elif kind in _IN_SCHEMA:
            parts = [database, row["schema_name"], row["name"]]
        else:
            parts = [row["name"]]
        yield InfraObject(kind, ".".join(map(str, parts)))


def grants_shown(
    role: str, rows: Sequence[Mapping[str, object]], *, is_future: bool
) -> Iterator[Grant]:
    """The grants in the rows of SHOW [FUTURE] GRANTS TO ROLE."""
    for row in rows:
        on = str(row["grant_on" if is_future else "granted_on"])
        yield Grant(role, str(row["privilege"]), on, str(row["name"]), is_future)


def _made_by(sql: str, file: str) -> tuple[InfraObject | Grant, ...]:
    flat = " ".join(sql.split())
    if created := _CREATE.match(flat):
        return (InfraObject(created.group("kind").upper(), created.group("name").upper()),)
    if added := _ADD_COLUMN.match(flat):
        name = f"{added.group('table')}.{added.group('name')}"
        return (InfraObject("COLUMN", name.upper()),)
    if granted := _GRANT_ROLE.fullmatch(flat):
        role, name = granted.group("role").upper(), granted.group("name").upper()
        return (Grant(role, "USAGE", "ROLE", name),)
    if granted := _GRANT.fullmatch(flat):
        on, name = granted.group("on").upper(), granted.group("name").upper()
        is_future = granted.group("future") is not None
        if is_future:
            on = on.removesuffix("S")
            name = f"{name}.<{on}>"
        return tuple(
            Grant(granted.group("role").upper(), privilege.strip().upper(), on, name, is_future)
            for privilege in granted.group("privileges").split(",")
        )
    raise InfraError(
        f"{file} holds a statement that is neither `create ... if not exists`, nor `alter table ..."
        f" add column if not exists`, nor a grant of a known form: {flat[:60]!r}; what exists"
        " already could not be told from it."
    )


def _split(text: str) -> list[str]:
    """Statements of a file, without comments; none of ours has a `;` or `--` in a literal."""
    without_comments = re.sub(r"--[^\n]*", "", text)
    return [part.strip() for part in without_comments.split(";") if part.strip()]

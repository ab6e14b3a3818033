"""Checks the rights of a session's role: ownership, its grants and those of inherited roles.

fakesnow lets every session do everything. Checked are SELECT, INSERT, UPDATE, DELETE, CREATE, DROP
and ALTER, the stage of a COPY, the schema and database of each object, and the warehouse. A session
has only its primary role, as after `use secondary roles none`. Not checked: who may grant, and what
SHOW and INFORMATION_SCHEMA list.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from snowflake.connector.errors import ProgrammingError
from sqlglot import exp

# Schemas of every database, and those of the emulator itself.
_OPEN: Final = frozenset({"INFORMATION_SCHEMA", "_FS_GLOBAL"})
_RELATIONS: Final = ("TABLE", "VIEW")
_OF_DML: Final = {exp.Insert: "INSERT", exp.Update: "UPDATE", exp.Delete: "DELETE"}
_ASKING: Final = (exp.Query, exp.Create, exp.Copy, *_OF_DML)


class Grant(NamedTuple):
    """One row of SHOW GRANTS."""

    role: str
    privilege: str
    kind: str
    name: str


# Roles with their privileges, in order, by the kind and full name of an object.
_Held = dict[tuple[str, str], None]
_of_object: Final = defaultdict[tuple[str, str], _Held](dict)
# The same for future objects, by their kind and schema.
_of_future: Final = defaultdict[tuple[str, str], _Held](dict)
_of_object["ROLE", "SYSADMIN"]["ACCOUNTADMIN", "USAGE"] = None
_of_object["ROLE", "SECURITYADMIN"]["ACCOUNTADMIN", "USAGE"] = None
_of_object["ROLE", "USERADMIN"]["SECURITYADMIN", "USAGE"] = None


def grant(given: Grant, *, is_future: bool = False) -> None:
    """Grant a role a privilege; for future objects, `name` is their schema."""
    of = _of_future if is_future else _of_object
    of[given.kind, given.name][given.role, given.privilege] = None


def granted_to(role: str, *, is_future: bool = False) -> Iterator[Grant]:
    """The grants of a role, without inherited ones."""
    for (kind, name), held in (_of_future if is_future else _of_object).items():
        for one, privilege in held:
            if one == role:
                yield Grant(role, privilege, kind, name)


def own(role: str, kind: str, name: str) -> None:
    """Make a role the owner of a new object, and apply the grants on future objects."""
    future = _of_future.get((kind, name.rpartition(".")[0]), {})
    _of_object[kind, name] = {(role, "OWNERSHIP"): None, **future}


def check(connection: Any, expression: exp.Expression) -> None:
    """Check the rights that a statement needs, and record the objects that it creates and drops.

    Raises:
        ProgrammingError: the role of the session lacks one.
    """
    session = _Session(connection)
    target: Any = expression.this or next(iter(expression.args.get("tables") or ()), None)
    if isinstance(expression, exp.Create):
        session.make(expression)
    elif isinstance(expression, exp.Copy):
        session.need("INSERT", target)
        session.need("USAGE", expression.args["files"][0], ("STAGE",))
    elif isinstance(expression, exp.Drop | exp.Alter):
        session.need("OWNERSHIP", target)
        if isinstance(expression, exp.Drop):
            _of_object.pop((str(expression.kind).upper(), session.name(target)), None)
    elif type(expression) in _OF_DML:
        session.need(_OF_DML[type(expression)], target)
    if isinstance(expression, _ASKING):
        written = None if isinstance(expression, exp.Query) else target.find(exp.Table)
        read = [one for one in _tables_read(expression) if one is not written]
        for table in read:
            session.need("SELECT", table)
        if read or not isinstance(expression, exp.Query | exp.Create):
            session.need_warehouse()


class _Session:
    """The grants of a session's role, with those of the roles granted to it."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._roles = {connection.role, "PUBLIC"}
        below = [connection.role]
        while below:
            role = below.pop()
            for (kind, name), held in _of_object.items():
                if kind == "ROLE" and (role, "USAGE") in held and name not in self._roles:
                    self._roles.add(name)
                    below.append(name)

    def name(self, expression: Any) -> str:
        """The full name of the first table, stage or schema in the expression."""
        table = expression.find(exp.Table)
        if isinstance(table.this, exp.Var):
            parts = table.name.removeprefix("@").upper().split(".")
        else:
            named = (table.args.get(part) for part in ("catalog", "db", "this"))
            parts = [_folded(part) for part in named if part is not None]
        return self._full(parts, levels=2 if table.args.get("this") is None else 3)

    def _full(self, parts: list[str], levels: int = 3) -> str:
        here = [str(self._connection.database), str(self._connection.schema)]
        return ".".join([*here[: max(levels - len(parts), 0)], *parts][-levels:])

    def make(self, creation: exp.Create) -> None:
        kind = str(creation.kind).upper()
        if kind == "DATABASE":
            own(self._connection.role, kind, _folded(creation.this.this))
            return
        name = self.name(creation.this)
        above = name.rpartition(".")[0]
        if (kind, name) in _of_object:
            if creation.args.get("replace"):
                self.need("OWNERSHIP", creation.this, (kind,))
            return
        temporary = {
            self._full(one.upper().split(".")) for one in self._connection.temporary_tables
        }
        if name not in temporary:
            of = "SCHEMA" if "." in above else "DATABASE"
            self._reach(above, name)
            if not self._holds(f"CREATE {kind}", (of,), above):
                raise _refusal(
                    f"Insufficient privileges to operate on {of.lower()} '{above}'. (The emulator:"
                    f" {self._connection.role} lacks CREATE {kind} on it.)"
                )
        own(self._connection.role, kind, name)

    def need(self, privilege: str, expression: Any, kinds: tuple[str, ...] = _RELATIONS) -> None:
        name = self.name(expression)
        if not any((kind, name) in _of_object for kind in kinds):
            return
        self._reach(name.rpartition(".")[0], name)
        if not self._holds(privilege, kinds, name):
            raise _refusal(
                f"Object '{name}' does not exist or not authorized."
                f" (The emulator: {self._connection.role} lacks {privilege} on it.)"
            )

    def need_warehouse(self) -> None:
        warehouse = self._connection.warehouse
        if not self._holds("USAGE", ("WAREHOUSE",), warehouse):
            raise ProgrammingError(
                msg="No active warehouse selected in the current session. (The emulator:"
                f" {self._connection.role} lacks USAGE on {warehouse}.)",
                errno=606,
                sqlstate="57P03",
            )

    def _reach(self, schema: str, name: str) -> None:
        """The schema and database of an object."""
        for kind, of in (("DATABASE", schema.split(".")[0]), ("SCHEMA", schema)):
            if (kind, of) in _of_object and not self._holds("USAGE", (kind,), of):
                raise _refusal(
                    f"Object '{name}' does not exist or not authorized. (The emulator:"
                    f" {self._connection.role} lacks USAGE on {kind.lower()} {of}.)"
                )

    def _holds(self, privilege: str, kinds: tuple[str, ...], name: str) -> bool:
        return any(
            role in self._roles and held in (privilege, "OWNERSHIP")
            for kind in kinds
            for role, held in _of_object.get((kind, name), ())
        )


def _tables_read(expression: exp.Expression) -> Iterator[exp.Table]:
    """Tables and views that a statement names; not its own CTEs, stages and functions."""
    ctes = {_folded(cte.args["alias"].this) for cte in expression.find_all(exp.CTE)}
    for table in expression.find_all(exp.Table):
        above = {_folded(table.args[part]) for part in ("catalog", "db") if table.args.get(part)}
        is_named = isinstance(table.this, exp.Identifier) and not above & _OPEN
        if is_named and (above or _folded(table.this) not in ctes):
            yield table


def _folded(identifier: Any) -> str:
    return str(identifier.this if identifier.args.get("quoted") else identifier.name.upper())


def _refusal(message: str) -> ProgrammingError:
    return ProgrammingError(msg=f"SQL compilation error:\n{message}", errno=2003, sqlstate="02000")

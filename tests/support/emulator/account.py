"""Objects of an account outside of databases: roles, warehouses, grants and its query history.

fakesnow has none of them. Here they are rows of a table, which statements add and SHOW lists.
`rights.py` enforces the grants.
"""

import importlib
import json
import re
import time
from typing import Any, Final

from snowflake.connector.errors import ProgrammingError

from tests.support.emulator import rights

# By name, because the package has a function of the same name.
SERVER: Final = importlib.import_module("fakesnow.server")

_CREATE: Final = re.compile(
    r"^\s*create\s+(?P<kind>role|warehouse|resource\s+monitor|storage\s+integration)"
    r"\s+if\s+not\s+exists\s+(?P<name>\w+)\b",
    re.IGNORECASE,
)
_SHOW: Final = re.compile(
    r"^\s*show\s+(?P<kind>roles|warehouses|resource\s+monitors|integrations|storage\s+integrations)"
    r"(?:\s+like\s+'(?P<like>[^']*)')?\s*$",
    re.IGNORECASE,
)
_SHOW_GRANTS: Final = re.compile(
    r"^\s*show\s+(?P<future>future\s+)?grants\s+to\s+role\s+(?P<role>\w+)\s*$", re.IGNORECASE
)
_GRANT: Final = re.compile(
    r"grant (?P<privileges>[A-Z, ]+) on (?P<future>future )?(?P<on>[A-Z]+?)(?:s in schema)?"
    r" (?P<name>[\w.]+) to role (?P<role>\w+)",
    re.IGNORECASE,
)
_GRANT_ROLE: Final = re.compile(r"grant role (?P<name>\w+) to role (?P<role>\w+)", re.IGNORECASE)
# The waiting is in `statements.py`.
_WAITED: Final = re.compile(r"^\s*select\s+system\$wait\(\s*([\d.]+)\s*\)\s*$", re.IGNORECASE)
_USE: Final = re.compile(r"^\s*use\s+(?P<kind>role|warehouse)\s+(?P<name>\w+)\s*$", re.IGNORECASE)
# Accepted and without effect.
_WITHOUT_EFFECT: Final = re.compile(
    r"^\s*(use\s+secondary\s+roles|alter\s+session)\b", re.IGNORECASE
)
# Snowflake's number for a statement that reached its timeout.
TIMEOUT: Final = 630
DONE: Final = "select 'Statement executed successfully.' as \"status\""
_KINDS: Final = {"INTEGRATIONS": "STORAGE INTEGRATION"}

CREATE_HISTORY: Final = """
create table _fs_global.main.account_objects (kind varchar, name varchar);
insert into _fs_global.main.account_objects values
    ('ROLE', 'ACCOUNTADMIN'), ('ROLE', 'SYSADMIN'), ('ROLE', 'SECURITYADMIN'),
    ('ROLE', 'USERADMIN'), ('ROLE', 'PUBLIC');
create table _fs_global.main.recorded (
    at_seconds double,
    session integer,
    parameters json,
    user_name varchar,
    query_text varchar
);
create table _fs_global.main.faults (pattern varchar);
create macro _fs_global.main.query_history() as table
select
    query_text as QUERY_TEXT,
    coalesce(parameters ->> 'QUERY_TAG', '') as QUERY_TAG,
    user_name as USER_NAME,
    'X-Small' as WAREHOUSE_SIZE,
    1000::bigint as BYTES_SCANNED,
    10::bigint as TOTAL_ELAPSED_TIME,
    10::bigint as EXECUTION_TIME,
    0.0001::double as CREDITS_USED_CLOUD_SERVICES
from _fs_global.main.recorded
order by at_seconds;
"""


def record(connection: Any, command: str) -> None:
    """Add a statement to the query history, with the parameters of its session."""
    _database().execute(
        "insert into _fs_global.main.recorded values (?, ?, ?, ?, ?)",
        [
            time.time(),
            connection.number,
            json.dumps(connection.parameters),
            connection.user,
            command,
        ],
    )


def fail_if_told_to(command: str) -> None:
    """Fail a statement once, as by a timeout, if a pattern in _FS_GLOBAL.MAIN.FAULTS matches it.

    A test puts it there by a statement of its own.

    Raises:
        ProgrammingError: a pattern matches the statement.
    """
    database = _database()
    found = database.execute(
        "select pattern from _fs_global.main.faults where regexp_matches($1, pattern, 'is')",
        [command],
    ).fetchone()
    if found:
        database.execute("delete from _fs_global.main.faults where pattern = ?", found)
        raise ProgrammingError(
            msg="Statement reached its statement or warehouse timeout and was canceled.",
            errno=TIMEOUT,
            sqlstate="57014",
        )


def answer_to(connection: Any, command: str) -> str | None:
    """The SQL to run in place of a statement about the account; None for any other statement."""
    text = re.sub(r"^(?:\s|--[^\n]*\n|/\*.*?\*/)+", "", command, flags=re.DOTALL)
    if created := _CREATE.match(text):
        return _create(connection, created)
    if waited := _WAITED.match(text):
        return f"select 'waited {waited.group(1)} seconds' as \"SYSTEM$WAIT\""
    if used := _USE.match(text):
        setattr(connection, used.group("kind").lower(), used.group("name").upper())
        return DONE
    if granted := _GRANT_ROLE.fullmatch(" ".join(text.split())):
        return _grant(granted, ["USAGE"], "ROLE", is_future=False)
    if granted := _GRANT.fullmatch(" ".join(text.split())):
        privileges = [name.strip().upper() for name in granted.group("privileges").split(",")]
        is_future = granted.group("future") is not None
        return _grant(granted, privileges, granted.group("on").upper(), is_future=is_future)
    if shown := _SHOW.match(text):
        kind = " ".join(shown.group("kind").upper().split())
        kind = _KINDS.get(kind, kind.removesuffix("S"))
        like = (shown.group("like") or "%").upper()
        return (
            'select name as "name" from _fs_global.main.account_objects'
            f" where kind = '{kind}' and name like '{like}'"
        )
    if shown := _SHOW_GRANTS.match(text):
        return _show_grants(shown)
    return DONE if _WITHOUT_EFFECT.match(text) else None


def has_role(name: str) -> bool:
    """Whether a role exists; every user has every role."""
    roles = "select 1 from _fs_global.main.account_objects where kind = 'ROLE' and name = ?"
    return _database().execute(roles, [name]).fetchone() is not None


def _create(connection: Any, created: re.Match[str]) -> str:
    kind = " ".join(created.group("kind").upper().split())
    name = created.group("name").upper()
    database = _database()
    known = database.execute(
        "select 1 from _fs_global.main.account_objects where kind = ? and name = ?", [kind, name]
    ).fetchone()
    if not known:
        database.execute("insert into _fs_global.main.account_objects values (?, ?)", [kind, name])
        rights.own(connection.role, kind, name)
    return DONE


def _grant(granted: re.Match[str], privileges: list[str], kind: str, *, is_future: bool) -> str:
    for privilege in privileges:
        given = rights.Grant(
            granted.group("role").upper(), privilege, kind, granted.group("name").upper()
        )
        rights.grant(given, is_future=is_future)
    return DONE


def _show_grants(asked: re.Match[str]) -> str:
    is_future = asked.group("future") is not None
    kind = "grant_on" if is_future else "granted_on"
    rows = [
        (one.privilege, one.kind, f"{one.name}.<{one.kind}>" if is_future else one.name, one.role)
        for one in rights.granted_to(asked.group("role").upper(), is_future=is_future)
    ]
    shown = f'select a as "privilege", b as "{kind}", c as "name", d as "grantee_name" from'
    if not rows:
        return f"{shown} (select '' as a, '' as b, '' as c, '' as d) where false"
    return f"{shown} (values {', '.join(map(str, rows))}) as held (a, b, c, d)"


def _database() -> Any:
    """A separate connection, outside of any session's transaction."""
    return SERVER.shared_fs.duck_conn.cursor()

"""The warehouse of dev and prod: a Snowflake database, through dagster-snowflake's resource.

`SnowflakeResource` holds the sign-in, role, warehouse and session parameters. It is imported with
the first session, because that takes seconds. Values are bound on the server, never written into a
statement.
"""

import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Self

from veracitypro_pipeline.masking import masked
from veracitypro_pipeline.resources.warehouse.protocol import (
    Reading,
    WarehouseRejectedError,
    WarehouseUnavailableError,
    folded,
    of_each,
    relations_of,
)
from veracitypro_pipeline.resources.warehouse.snowflake_reads import (
    reject_several,
    reject_writes,
)
from veracitypro_pipeline.settings import Settings, SettingsError, proxy_hint
from veracitypro_pipeline.statement import Answer, Rows, Statement, positional

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection
    from snowflake.connector.cursor import SnowflakeCursor

APPLICATION_NAME: Final = "VeracityPro"
# Seconds to sign in; to wait for one HTTP answer, which Snowflake gives within 45 even while a
# statement runs; and to repeat a request that gets none. None of them limits a statement: Snowflake
# ends that, by STATEMENT_TIMEOUT_IN_SECONDS.
LOGIN_TIMEOUT_SECONDS: Final = 60
SOCKET_TIMEOUT_SECONDS: Final = 60
NETWORK_TIMEOUT_SECONDS: Final = 120
# The connector's number for a request without an answer.
NO_ANSWER: Final = 250003
# Snowflake's limit for a query tag, in characters.
TAG_CHARACTERS: Final = 2_000

# Snowflake's numbers of transient errors: an internal error of a statement, a canceled statement, a
# lock timeout, a statement timeout, an expired session. Errors of the network and of the service
# have exception classes of their own.
TRANSIENT_ERRORS: Final = frozenset({603, 604, 625, 630, 390112, 390114})

# `credits_compute` is an upper bound: the time of each statement at the rate of its warehouse, as
# if it had run alone. It lacks the idle time before a warehouse is suspended, which
# WAREHOUSE_METERING_HISTORY shows hours later (infra/snowflake/README.md).
_USAGE_OF_RUN: Final = """
select
    count(*) as statements,
    coalesce(sum(bytes_scanned), 0) as bytes_scanned,
    coalesce(sum(total_elapsed_time), 0) / 1000 as seconds,
    coalesce(sum(credits_used_cloud_services), 0) as credits_cloud_services,
    coalesce(
        sum(
            execution_time * case warehouse_size
                when 'X-Small' then 1
                when 'Small' then 2
                when 'Medium' then 4
                when 'Large' then 8
                when 'X-Large' then 16
            end
        ),
        0
    ) / 3600000 as credits_compute
from table(
    information_schema.query_history_by_user(
        end_time_range_start => dateadd(day, -1, current_timestamp()),
        result_limit => 10000
    )
)
where try_parse_json(query_tag):run_id::varchar = $run_id
"""


@dataclass(frozen=True)
class SnowflakeTransaction:
    """An open transaction of a session."""

    cursor: "SnowflakeCursor"

    def run(self, statement: Statement) -> None:
        sql, values = positional(statement)
        self.cursor.execute(sql, values or None)

    def query(self, sql: str, values: Mapping[str, Any] | None = None) -> Answer:
        self.run(Statement(sql, values or {}))
        rows: Any = self.cursor.fetchall()
        return Answer([folded(column.name) for column in self.cursor.description], rows)

    def refusal(self, sql: str) -> str | None:
        """Snowflake's error for a statement, on one line; None if it accepts the statement."""
        from snowflake.connector.errors import ProgrammingError

        try:
            self.run(Statement(sql))
        except ProgrammingError as error:
            return masked(" ".join(str(error.msg).split()))
        return None


@dataclass(frozen=True)
class SnowflakeReading:
    """A session that runs only statements that read."""

    session: SnowflakeTransaction

    def query(self, sql: str, values: Mapping[str, Any] | None = None) -> Answer:
        reject_writes(sql)
        return self.session.query(sql, values)


@dataclass(frozen=True)
class SnowflakeWarehouse:
    """Queries and transactions, each in a session of its own, in UTC.

    `arguments` are those of `SnowflakeResource`; the repr leaves them out, because they hold
    secrets.
    """

    account: str
    role: str
    arguments: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(
        cls,
        settings: Settings,
        tag: Mapping[str, str | None],
        *,
        role: str | None = None,
        is_reader: bool = False,
    ) -> Self:
        """The warehouse of the settings, for their role or another.

        Raises:
            SettingsError: account, user or sign-in is not set.
        """
        settings.require("snowflake_account", "snowflake_user")
        role = role or (settings.snowflake_reader_role if is_reader else settings.snowflake_role)
        warehouse = (
            settings.snowflake_reader_warehouse if is_reader else settings.snowflake_warehouse
        )
        sign_in, key = _sign_in(settings)
        return cls(
            account=str(settings.snowflake_account),
            role=role,
            arguments={
                "account": settings.snowflake_account,
                "user": settings.snowflake_user,
                "role": role,
                "warehouse": warehouse,
                "database": settings.snowflake_database,
                "login_timeout": LOGIN_TIMEOUT_SECONDS,
                # Values are bound by the server.
                "paramstyle": "qmark",
                # Otherwise the resource sends a commit at the end of each session.
                "autocommit": True,
                **sign_in,
                # What the resource has no field for.
                "additional_snowflake_connection_args": {
                    "application": APPLICATION_NAME,
                    "socket_timeout": SOCKET_TIMEOUT_SECONDS,
                    "backoff_policy": _backoff,
                    "session_parameters": {
                        "QUERY_TAG": json.dumps({k: v for k, v in tag.items() if v})[
                            :TAG_CHARACTERS
                        ],
                        **session_parameters(settings),
                    },
                    **_address(settings),
                    **key,
                },
            },
        )

    def query(self, sql: str, values: Mapping[str, Any] | None = None) -> Answer:
        """Rows of one statement that reads.

        Raises:
            WarehouseUnavailableError, WarehouseRejectedError: see `reject_writes` and `session`.
        """
        reject_writes(sql)
        with self.session() as session:
            return session.query(sql, values)

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """One session for several queries.

        Raises:
            WarehouseUnavailableError, WarehouseRejectedError: see `reject_writes` and `session`.
        """
        with self.session() as session:
            yield SnowflakeReading(session)

    @contextmanager
    def read(self, sql: str, *, first: int | None = None) -> Iterator[Rows]:
        """Rows of one statement that reads, streamed; SNOWFLAKE_TIMEOUT_SECONDS limits it.

        Raises:
            WarehouseUnavailableError, WarehouseRejectedError: see `reject_writes` and `session`.
        """
        reject_several(sql)
        reject_writes(sql)
        with self.session() as session:
            session.run(Statement(sql))
            cursor: Any = session.cursor
            columns = [folded(column.name) for column in cursor.description]
            yield Rows(columns, islice(cursor, first), cursor.rowcount or 0)

    def row_counts(self, schema: str, *, has_views: bool = True) -> dict[str, int]:
        """Row count of each table and view; Snowflake knows a table's without reading it."""
        counts = self._figures(relations_of(schema, has_views=has_views), "count(*)")
        return {name: int(count) for name, count in counts.items()}

    def content_hashes(self, schema: str) -> dict[str, str]:
        """An order-independent hash of the rows of each table and view; reads them all."""
        hashes = self._figures(relations_of(schema), "hash_agg(*)")
        return {name: str(value) for name, value in hashes.items()}

    def _figures(self, relations: Statement, figure: str) -> dict[str, Any]:
        with self.session() as session:
            names = [str(name) for (name,) in session.query(*relations).rows]
            schema = relations.values["schema"]
            figures = session.query(of_each(schema, names, figure)).rows[0] if names else ()
        return dict(zip(map(folded, names), figures, strict=True))

    @contextmanager
    def transaction(
        self, *, before: Sequence[Statement] = (), relations: Mapping[str, Any] | None = None
    ) -> Iterator[SnowflakeTransaction]:
        """A transaction: committed at the end of the block, rolled back after an exception.

        `before` is for temporary tables: Snowflake commits a transaction at every DDL statement.

        Raises:
            WarehouseUnavailableError, WarehouseRejectedError: see `session`; nothing was changed.
        """
        assert not relations, "Snowflake reads from a stage, not from this process."
        with self.session() as session:
            for statement in before:
                session.run(statement)
            session.cursor.execute("begin")
            try:
                yield session
            except BaseException:
                # Keep the first error. Snowflake rolls a lost session back by itself.
                with suppress(Exception):
                    session.cursor.execute("rollback")
                raise
            session.cursor.execute("commit")

    def usage(self, run_id: str) -> dict[str, float]:
        (row,) = self.query(_USAGE_OF_RUN, {"run_id": run_id}).dicts()
        return {name: round(float(figure), 6) for name, figure in row.items()}

    @contextmanager
    def session(self) -> Iterator[SnowflakeTransaction]:
        """A new session, closed at the end of the block; each statement commits by itself.

        Raises:
            WarehouseUnavailableError: no connection, a timeout, or a transient error.
            WarehouseRejectedError: the sign-in or a statement is rejected.
        """
        whose = f"(account {self.account}, role {self.role})"
        with ExitStack() as block:
            with translated_errors(f"the sign-in as {self.arguments['user']} {whose}"):
                connection = block.enter_context(_connection(self.arguments))
            block.enter_context(translated_errors(f"a statement {whose}"))
            cursor = block.enter_context(connection.cursor())
            # Otherwise the user's other roles apply too and hide a missing grant.
            cursor.execute("use secondary roles none")
            yield SnowflakeTransaction(cursor)


@contextmanager
def _connection(arguments: Mapping[str, Any]) -> Iterator["SnowflakeConnection"]:
    """A connection of the connector.

    Raises:
        WarehouseRejectedError: the private key cannot be read.
    """
    from dagster_snowflake import SnowflakeResource

    with ExitStack() as block:
        try:
            connection: Any = block.enter_context(SnowflakeResource(**arguments).get_connection())
        except (TypeError, ValueError) as error:
            # cryptography's message names neither the key nor its setting.
            raise WarehouseRejectedError(
                f"The private key of {arguments['user']} cannot be read: check that it is PEM, and"
                " that SNOWFLAKE_PRIVATE_KEY_PASSPHRASE is its passphrase."
            ) from error
        # dagster-snowflake leaves it open after an error.
        block.enter_context(closing(connection))
        yield connection


def session_parameters(settings: Settings) -> dict[str, str | int]:
    """Parameters of every session, the pipeline's and dbt's, whatever the account's defaults.

    Instants in our tables are UTC without a zone. Ids are hashes of instants as text, so the output
    formats are set too.
    """
    # 0 would mean Snowflake's maximum, a week.
    timeout = math.ceil(settings.snowflake_timeout_seconds)
    return {
        "STATEMENT_TIMEOUT_IN_SECONDS": timeout,
        "LOCK_TIMEOUT": timeout,
        "TIMEZONE": "UTC",
        "TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_NTZ",
        "TIMESTAMP_NTZ_OUTPUT_FORMAT": "YYYY-MM-DD HH24:MI:SS.FF6",
        "DATE_OUTPUT_FORMAT": "YYYY-MM-DD",
    }


@contextmanager
def translated_errors(what: str) -> Iterator[None]:
    """Turn errors of the connector into ours; `what` names the sign-in or statement in messages.

    Raises:
        WarehouseUnavailableError: no connection, a timeout, or a transient error.
        WarehouseRejectedError: every other error.
    """
    from snowflake.connector import errors

    # The connector does not wrap the error of its HTTP library for a truncated response.
    from snowflake.connector.vendored.requests.exceptions import RequestException

    try:
        yield
    except RequestException as error:
        raise WarehouseUnavailableError(
            f"Snowflake did not carry out {what}: the connection broke ({type(error).__name__})"
            f"{_proxy_before_it()}"
        ) from error
    except errors.Error as error:
        message = masked(" ".join(str(error.msg or error).split()))
        is_transient = (
            isinstance(
                error,
                errors.OperationalError
                | errors.InternalServerError
                | errors.ServiceUnavailableError
                | errors.GatewayTimeoutError
                | errors.BadGatewayError
                | errors.RequestTimeoutError
                | errors.TooManyRequests
                | errors.OtherHTTPRetryableError
                | errors.RequestExceedMaxRetryError,
            )
            or error.errno in TRANSIENT_ERRORS
        )
        if is_transient:
            raise WarehouseUnavailableError(
                f"Snowflake did not carry out {what}: {message}{_proxy_before_it()}"
            ) from error
        raise WarehouseRejectedError(f"Snowflake rejects {what}: {message}") from error


def _proxy_before_it() -> str:
    proxy = proxy_hint("https://snowflakecomputing.com")
    return f".{proxy}" if proxy else ""


def _backoff() -> Iterator[int]:
    """Seconds before each retry of a request, until NETWORK_TIMEOUT_SECONDS have passed.

    The connector's own `network_timeout` would also cancel every statement that runs longer.
    """
    from snowflake.connector.backoff_policies import exponential_backoff
    from snowflake.connector.errors import OperationalError

    began_at = time.monotonic()
    for seconds in exponential_backoff()():
        if time.monotonic() - began_at > NETWORK_TIMEOUT_SECONDS:
            raise OperationalError(
                f"no answer within {NETWORK_TIMEOUT_SECONDS} seconds", errno=NO_ANSWER
            )
        yield seconds


def _address(settings: Settings) -> dict[str, Any]:
    """Connection arguments for SNOWFLAKE_URL; empty for the account's public address."""
    address = settings.snowflake_url
    if address is None:
        return {}
    return {"protocol": address.scheme, "host": address.host, "port": address.port}


def _sign_in(settings: Settings) -> tuple[dict[str, Any], dict[str, Any]]:
    """The key pair if one is set, else a token used as password: fields of `SnowflakeResource`, and
    arguments of the connector.

    The resource needs a key with its line breaks, which variables often lose; the connector does
    not.

    Raises:
        SettingsError: neither is set, or the key's file does not exist.
    """
    passphrase = settings.snowflake_private_key_passphrase
    phrase = passphrase.get_secret_value() if passphrase else None
    by_key = {"authenticator": "SNOWFLAKE_JWT"}
    if settings.snowflake_private_key_path is not None:
        path = settings.snowflake_private_key_path.expanduser()
        if not path.is_file():
            raise SettingsError(
                f"SNOWFLAKE_PRIVATE_KEY_PATH names {path}, where there is no file: put the private"
                " key of SNOWFLAKE_USER there (PEM)."
            )
        return {**by_key, "private_key_path": str(path), "private_key_password": phrase}, {}
    if settings.snowflake_private_key_base64 is not None:
        return by_key, {
            "private_key": settings.snowflake_private_key_base64.get_secret_value(),
            "private_key_passphrase": phrase.encode() if phrase else None,
        }
    if settings.snowflake_password is not None:
        return {"password": settings.snowflake_password.get_secret_value()}, {}
    raise SettingsError(
        "None of SNOWFLAKE_PRIVATE_KEY_PATH, SNOWFLAKE_PRIVATE_KEY and SNOWFLAKE_PASSWORD is set:"
        " sign in to Snowflake with a key pair (better), or with a programmatic access token in"
        " SNOWFLAKE_PASSWORD."
    )

"""COPY INTO of text lines from S3, with the metadata of a staged file.

The stock COPY has no METADATA$ columns, and reads S3 only with an extension that it downloads. This
one reads S3 by boto3, and supports one file format: every line as one text.
"""

import gzip
import os
from typing import Any, Final
from urllib.parse import urlsplit

import boto3
import pyarrow as pa
from fakesnow.copy_into import stage_url_from_var
from snowflake.connector.errors import ProgrammingError
from sqlglot import exp

# Where the emulator finds S3, from its environment.
ENDPOINT: Final = "EMULATOR_S3_ENDPOINT"
KEY_ID: Final = "EMULATOR_S3_KEY_ID"
SECRET: Final = "EMULATOR_S3_SECRET"

# The only supported file format, in the exact words required.
LINES_AS_TEXT: Final = {
    "TYPE": "CSV",
    "COMPRESSION": "GZIP",
    "RECORD_DELIMITER": "\\n",
    "FIELD_DELIMITER": "NONE",
    "SKIP_BLANK_LINES": "FALSE",
    "FIELD_OPTIONALLY_ENCLOSED_BY": "NONE",
    "ESCAPE": "NONE",
    "ESCAPE_UNENCLOSED_FIELD": "NONE",
    "TRIM_SPACE": "FALSE",
    "NULL_IF": "()",
    "EMPTY_FIELD_AS_NULL": "FALSE",
    "REPLACE_INVALID_CHARACTERS": "TRUE",
    "ENCODING": "UTF8",
}
# Snowflake's limit.
FILES_PER_COPY: Final = 1_000


def copy_into(
    connection: Any,
    database: str | None,
    schema: str | None,
    expression: exp.Copy,
    table_stages: Any,
    params: Any = None,
) -> str:
    """Run a COPY, and return the query for its result: one row per file."""
    options = {option.this.name.upper(): option for option in expression.args["params"]}
    _refuse_unless_lines_as_text(options)
    names = [literal.this for literal in options["FILES"].find_all(exp.Literal)]
    if len(names) > FILES_PER_COPY:
        raise _error(f"The number of files ({len(names)}) exceeds the limit {FILES_PER_COPY}.")
    target = expression.this.this
    select = expression.args["files"][0].this
    stage = select.args["from_"].this.this.name.removeprefix("@")
    url = stage_url_from_var(stage, connection, database, schema, table_stages, target)

    # A DuckDB connection runs nothing else until a result is read to its end.
    connection.fetchall()

    loaded = []
    for name in names:
        bucket, prefix = urlsplit(url).netloc, urlsplit(url).path.lstrip("/")
        key = f"{prefix.rstrip('/')}/{name}"
        lines = _lines(bucket, key)
        staged = pa.table(
            {
                "METADATA$FILENAME": [key] * len(lines),
                "METADATA$FILE_ROW_NUMBER": pa.array(range(1, len(lines) + 1), pa.int64()),
                "$1": pa.array(lines, pa.string()),
            }
        )
        columns = ", ".join(_column(column) for column in select.expressions)
        connection.register("_staged_lines", staged)
        connection.execute(
            f"insert into {expression.this.sql(dialect='duckdb')} select {columns}"
            " from _staged_lines"
        ).fetchall()
        connection.unregister("_staged_lines")
        loaded.append((f"s3://{bucket}/{key}", "LOADED", len(lines), len(lines)))
    answer = exp.values(
        loaded, alias="answer", columns=["file", "status", "rows_parsed", "rows_loaded"]
    )
    sql = exp.select("*").from_(answer).sql(dialect="duckdb")
    connection.execute(sql)
    return sql


def _refuse_unless_lines_as_text(options: dict[str, Any]) -> None:
    stated = {
        entry.this.name.upper(): _text(entry.args["value"])
        for entry in options["FILE_FORMAT"].expressions
    }
    if stated != LINES_AS_TEXT or "FILES" not in options:
        raise _error(f"The emulator copies only FILES, and only as lines of text, not {stated}.")
    if _text(options["FORCE"].expression) != "TRUE":
        raise _error("The emulator keeps no load metadata: it copies only with FORCE = TRUE.")
    if _text(options["ON_ERROR"].expression) != "ABORT_STATEMENT":
        raise _error("The emulator stops a COPY at the first error.")


def _text(value: exp.Expression) -> str:
    if isinstance(value, exp.Literal):
        return str(value.this).encode("unicode_escape").decode()
    return str(value.sql(dialect="snowflake")).upper()


def _lines(bucket: str, key: str) -> list[str]:
    client = boto3.client(
        "s3",
        endpoint_url=os.environ[ENDPOINT],
        aws_access_key_id=os.environ[KEY_ID],
        aws_secret_access_key=os.environ[SECRET],
        region_name="us-east-2",
    )
    try:
        body: bytes = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    except client.exceptions.NoSuchKey:
        raise _error(f"Remote file 's3://{bucket}/{key}' was not found.") from None
    text = gzip.decompress(body).decode(errors="replace")
    return text.removesuffix("\n").split("\n") if text else []


def _column(column: exp.Expression) -> str:
    if isinstance(column, exp.Parameter):
        return '"$1"'
    return f'"{column.name.upper()}"'


def _error(message: str) -> ProgrammingError:
    return ProgrammingError(msg=message, errno=1003, sqlstate="42000")

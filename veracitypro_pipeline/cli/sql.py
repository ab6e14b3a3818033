"""`vp sql`: one read-only query."""

import csv
import json
import sys
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import click

from veracitypro_pipeline.cli.main import CannotDo, common_options, say
from veracitypro_pipeline.resources.warehouse.factory import open_warehouse
from veracitypro_pipeline.resources.warehouse.protocol import (
    WarehouseMissingError,
    WarehouseRejectedError,
)
from veracitypro_pipeline.settings import Settings
from veracitypro_pipeline.statement import Rows

# A spreadsheet reads a cell that starts with one of these as a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
# Rows of a printed table; the layout of a thousand takes half a second.
TABLE_ROWS: Final = 1_000


@click.command()
@click.argument("query")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help=f"How the rows are printed. table: the first {TABLE_ROWS:,}, one field a line if they"
    " do not fit the terminal. json: a list of objects. csv: text that a spreadsheet"
    " would read as a formula gets an apostrophe first.",
)
@common_options
def sql(query: str, form: str) -> None:
    """Run one read-only QUERY in the warehouse.

    Schemas: RAW STG CORE MART MONITORING. Instants are UTC. On Snowflake it runs with the role
    SNOWFLAKE_READER_ROLE, which reads all of them and cannot write.

    \b
    vp sql "select * from MART.DIM_PRODUCT"
    vp sql "from MART.FCT_PRICE_HISTORY_DAILY limit 5" --format csv
    """
    warehouse = open_warehouse(Settings.load(), {"app": "vp sql"}, is_reader=True, say=say)
    try:
        with warehouse.read(query, first=TABLE_ROWS if form == "table" else None) as answer:
            _PRINTERS[form](answer)
    except WarehouseMissingError:
        raise
    except WarehouseRejectedError as error:
        raise CannotDo(f"The query cannot be run: {' '.join(str(error).split())}") from error


def _print_table(answer: Rows) -> None:
    from rich.table import Table

    from veracitypro_pipeline.cli.tables import fits
    from veracitypro_pipeline.cli.terminal import output, shown

    rows = list(answer.rows)
    table = Table()
    for column in answer.columns:
        table.add_column(shown(column), overflow="fold")
    for row in rows:
        table.add_row(*map(_cell, row))
    console = output()
    if fits(console, table) or not rows:
        console.print(table)
    else:
        _print_records(answer.columns, rows)
    console.print(_how_many(len(rows), answer.total), soft_wrap=True)


def _how_many(printed: int, total: int) -> str:
    if printed < total:
        return (
            f"The first {printed:,} of {total:,} rows; {total - printed:,} are left out:"
            " --format csv or json prints all."
        )
    return "1 row" if total == 1 else f"{total:,} rows"


def _print_records(columns: list[str], rows: list[tuple[Any, ...]]) -> None:
    """Prints one field a line, for rows that are wider than the terminal."""
    from veracitypro_pipeline.cli.terminal import shown

    names = [shown(column) for column in columns]
    width = max(map(len, names))
    for number, row in enumerate(rows, start=1):
        sys.stdout.write(f"{f'-[ {number} ]'.ljust(width + 3, '-')}\n")
        for name, value in zip(names, row, strict=True):
            sys.stdout.write(f"{name:{width}} | {_cell(value)}\n")


def _cell(value: Any) -> str:
    from veracitypro_pipeline.cli.terminal import shown

    return "" if value is None else shown(str(value))


def _print_csv(answer: Rows) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(answer.columns)
    # Control characters are escaped on a terminal only.
    cell = _shown_cell if sys.stdout.isatty() else _no_formula
    writer.writerows([cell(value) for value in row] for row in answer.rows)


def _no_formula(value: Any) -> Any:
    """A value that a spreadsheet does not read as a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _shown_cell(value: Any) -> Any:
    from veracitypro_pipeline.cli.terminal import shown

    return shown(_no_formula(value)) if isinstance(value, str) else value


def _print_json(answer: Rows) -> None:
    """Prints a list of objects, one field a line, as rows arrive."""
    from veracitypro_pipeline.cli.terminal import shown_json

    # Separators with line breaks are ten times faster than `indent`.
    encoder = json.JSONEncoder(default=_plain, ensure_ascii=False, separators=(",\n  ", ": "))
    before = "[\n {\n  "
    for row in answer.rows:
        members = encoder.encode(dict(zip(answer.columns, row, strict=True)))[1:-1]
        sys.stdout.write(f"{before}{shown_json(members)}")
        before = "\n },\n {\n  "
    sys.stdout.write("\n }\n]\n" if answer.total else "[]\n")


def _plain(value: Any) -> Any:
    """Decimals as numbers, instants and dates in ISO 8601, all else as text."""
    if isinstance(value, Decimal):
        number = float(value)
        return int(value) if number.is_integer() else number
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)


_PRINTERS = {"table": _print_table, "csv": _print_csv, "json": _print_json}

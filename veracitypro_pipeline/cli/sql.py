"""`vp sql`: a read-only question to the warehouse."""

import csv
import json
import sys
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import click

from veracitypro_pipeline.cli.main import CannotDo, common_options
from veracitypro_pipeline.resources.warehouse_engine import (
    WarehouseMissing,
    WarehouseRefusal,
    open_warehouse,
)
from veracitypro_pipeline.settings import Settings
from veracitypro_pipeline.statement import Answer

# What a spreadsheet takes for the beginning of a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


@click.command()
@click.argument("query")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="How the rows are printed. table has a line per field if rows do not fit the terminal;"
    " json is a list of objects; in csv a text that a spreadsheet would take for a formula begins"
    " with an apostrophe.",
)
@common_options
def sql(query: str, form: str) -> None:
    """Ask the warehouse one read-only QUERY.

    Schemas: RAW STG CORE MART MONITORING. Instants are UTC. On Snowflake the role of
    SNOWFLAKE_READER_ROLE asks, which reads MART only unless you name another.

    \b
    vp sql "select * from MART.DIM_PRODUCT"
    vp sql "from MART.FCT_PRICE_HISTORY_DAILY limit 5" --format csv
    """
    warehouse = open_warehouse(Settings.load(), {"app": "vp sql"}, is_reader=True)
    try:
        answer = warehouse.query(query)
    except WarehouseMissing:
        raise
    except WarehouseRefusal as error:
        raise CannotDo(f"The query cannot be run: {' '.join(str(error).split())}") from error
    _PRINTERS[form](answer)


def _print_table(answer: Answer) -> None:
    from rich.table import Table

    from veracitypro_pipeline.cli.tables import fits
    from veracitypro_pipeline.cli.terminal import output, shown

    table = Table()
    for column in answer.columns:
        table.add_column(shown(column), overflow="fold")
    for row in answer.rows:
        table.add_row(*map(_cell, row))
    console = output()
    if fits(console, table) or not answer.rows:
        console.print(table)
    else:
        _print_records(answer)
    console.print(f"{len(answer.rows)} rows")


def _print_records(answer: Answer) -> None:
    """A field a line, for rows that are wider than the terminal."""
    from veracitypro_pipeline.cli.terminal import shown

    names = [shown(column) for column in answer.columns]
    width = max(map(len, names))
    for number, row in enumerate(answer.rows, start=1):
        click.echo(f"-[ {number} ]".ljust(width + 3, "-"))
        for name, value in zip(names, row, strict=True):
            click.echo(f"{name:{width}} | {_cell(value)}")


def _cell(value: Any) -> str:
    from veracitypro_pipeline.cli.terminal import shown

    return "" if value is None else shown(str(value))


def _print_csv(answer: Answer) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(answer.columns)
    # A file or a program gets what is there, a terminal what it can bear.
    cell = _shown_cell if sys.stdout.isatty() else _no_formula
    writer.writerows([cell(value) for value in row] for row in answer.rows)


def _no_formula(value: Any) -> Any:
    """A title that begins as a formula does is text in a spreadsheet too."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _shown_cell(value: Any) -> Any:
    from veracitypro_pipeline.cli.terminal import shown

    return shown(_no_formula(value)) if isinstance(value, str) else value


def _print_json(answer: Answer) -> None:
    from veracitypro_pipeline.cli.terminal import shown_json

    document = json.dumps(answer.dicts(), default=_plain, ensure_ascii=False, indent=1)
    click.echo(shown_json(document))


def _plain(value: Any) -> Any:
    """What JSON has no type for: decimals as numbers, instants and days in ISO 8601."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)


_PRINTERS = {"table": _print_table, "csv": _print_csv, "json": _print_json}

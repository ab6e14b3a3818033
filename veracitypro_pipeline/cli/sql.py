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
    help="How the rows are printed. json is a list of objects; in csv a text that a spreadsheet"
    " would take for a formula begins with an apostrophe.",
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
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for column in answer.columns:
        table.add_column(_shown(column), overflow="fold")
    for row in answer.rows:
        table.add_row(*("" if value is None else _shown(str(value)) for value in row))
    console = Console(soft_wrap=False, highlight=False, markup=False)
    console.print(table)
    console.print(f"{len(answer.rows)} rows")


def _shown(text: str) -> str:
    """Control characters as escapes: a title must not write to somebody's terminal as it likes."""
    return "".join(one if one.isprintable() or one == "\n" else ascii(one)[1:-1] for one in text)


def _print_csv(answer: Answer) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(answer.columns)
    writer.writerows([_no_formula(value) for value in row] for row in answer.rows)


def _no_formula(value: Any) -> Any:
    """A title that begins as a formula does is text in a spreadsheet too."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _print_json(answer: Answer) -> None:
    click.echo(json.dumps(answer.dicts(), default=_plain, ensure_ascii=False, indent=1))


def _plain(value: Any) -> Any:
    """What JSON has no type for: decimals as numbers, instants and days in ISO 8601."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)


_PRINTERS = {"table": _print_table, "csv": _print_csv, "json": _print_json}

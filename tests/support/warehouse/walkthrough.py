"""The page that follows one payload from RAW to MART, and the line that it begins with."""

import json
import re
from datetime import date, datetime
from typing import Final

from veracitypro_pipeline.settings import REPOSITORY_DIR

from .building import Line

PAGE: Final = REPOSITORY_DIR / "dbt_project" / "README.md"
_PAYLOAD: Final = re.compile(r"```json\n(.*?)```", re.DOTALL)
# A heading that names a table of the warehouse, then its columns and rows.
_STEP: Final = re.compile(
    r"^### \d+\. `([A-Z]+\.\w+)`.*?^(\|[^\n]*\|)\n\|[ |-]+\|\n((?:\|[^\n]*\|\n?)+)",
    re.DOTALL | re.MULTILINE,
)


def line() -> Line:
    (payload,) = _PAYLOAD.findall(PAGE.read_text())
    return Line(
        json.dumps(json.loads(payload)),
        datetime(2026, 1, 15, 0, 10),
        date(2026, 1, 14),
        "walkthrough.gz",
    )


def steps() -> list[tuple[str, list[str], list[list[str]]]]:
    """Table, columns and rows of each step."""
    return [
        (table, _cells(columns), [_cells(row) for row in rows.splitlines()])
        for table, columns, rows in _STEP.findall(PAGE.read_text())
    ]


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]

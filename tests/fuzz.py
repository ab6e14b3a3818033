"""Any bytes at all: as the lines of landing files, and as settings.

A target takes any bytes and raises if a promise is broken. `tests/unit/test_fuzz.py` tries some
hundreds of inputs; a longer search is guided by the branches that an input reaches:

    pip install atheris==3.0.0
    python -m tests.fuzz lines --seconds 300
    python -m tests.fuzz settings --seconds 300

The input that breaks a promise stands in the output, and in a file `crash-*` of the working folder.
"""

import gzip
import inspect
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import click
import duckdb
import pytest

from veracitypro_pipeline import jsonl
from veracitypro_pipeline.landing.manifest import landed_file, sync_id_of
from veracitypro_pipeline.raw import engines
from veracitypro_pipeline.raw import on_duckdb as raw_duckdb
from veracitypro_pipeline.raw.tables import Load
from veracitypro_pipeline.settings import (
    ENV_FILE,
    Settings,
    SettingsError,
    known_variables,
    variable_of,
)
from veracitypro_pipeline.sources.keepa import PRODUCT_RAW
from veracitypro_pipeline.stage_values.landing import NO_SYNC_ID, LandedFile
from veracitypro_pipeline.statement import named

FOLDER: Final = Path(tempfile.mkdtemp(prefix="vp-fuzz-"))
# Small, so that a file of a few lines comes in several batches.
BATCH_BYTES: Final = 64
ARRIVED_AT: Final = datetime(2026, 2, 1, tzinfo=UTC)

SEEDS: Final[dict[str, list[bytes]]] = {
    "lines": [
        b'\x00{"_airbyte_raw_id":"i","_airbyte_extracted_at":1767225600000,"_airbyte_meta":'
        b'{"sync_id":7,"changes":[]},"_airbyte_data":{"asin":"B0PADDLE01"}}\n',
        b'\x00{"_airbyte_extracted_at":"2026-01-01T00:00:00Z","asin":"X"}\n\n{"_airbyte_data":3}\r\n[',
        b'\x00{"_airbyte_extracted_at":9223372036854775807,"asin":"X","t":"\\ud83d\\u0000"}',
        b'\x01{"asin":"X"}\n{"asin":"Y"}\n',
        b"\x02\x1f\x8b\x08\x00",
    ],
    "settings": [
        b"\x00VP_ENVIRONMENT=prod\nAS_OF_DATE=2026-01-31\nSLACK_MENTION=U0123456\n",
        b"\x00VP_HOME='.vp'\nexport AIRBYTE_POLL_SECONDS=\"0.5\" # s\nVP_NO=1\n",
        b"\x00VP_HOME=a\0b\nVP_WAREHOUSE_PATH=~nobody-here/dwh\n",
        b"\x00'VP_\nHOME'=1\n",
        *(bytes([number + 1]) + b"1.5" for number in range(len(Settings.model_fields))),
    ],
}


def lines(data: bytes) -> None:
    """A landing file: each line is one row of RAW with its number, or the file is named as damaged.

    The first byte says what the rest is: lines to pack, lines to pack and cut, or the file itself.
    """
    kind, body = data[:1], data[1:]
    path = FOLDER / "object.jsonl.gz"
    packed = gzip.compress(body, 1, mtime=0)
    path.write_bytes({b"\x01": packed[: -1 - len(body) % 20], b"\x02": body}.get(kind, packed))
    is_whole = kind not in (b"\x01", b"\x02")

    file = landed_file("a'; --", "e", 1, jsonl.lines(path), ARRIVED_AT)
    assert file.lines == sum(file.sync_ids.values())
    if is_whole:
        expected = [line.rstrip(b"\r") for line in body.split(b"\n")]
        if not body or body.endswith(b"\n"):
            expected.pop()
        assert file.damage is None
        assert list(jsonl.lines(path)) == expected
        assert all(re.fullmatch(r"\d+|" + NO_SYNC_ID, sync_id_of(line)) for line in expected)
    rows = rows_of(file, path)
    if file.damage is None:
        assert [number for number, *_ in rows] == list(range(1, file.lines + 1))
        assert all((payload is None) != (text is None) for _, payload, text in rows)


def rows_of(file: LandedFile, path: Path) -> list[tuple[int, str | None, str | None]]:
    """What RAW holds of the file; nothing of a damaged one, whose load is undone."""
    load = Load(PRODUCT_RAW, [file], date(2026, 1, 31), "load", datetime(2026, 2, 1))
    with pytest.MonkeyPatch.context() as patch, duckdb.connect(config={"threads": 1}) as connection:
        patch.setattr(engines, "BATCH_BYTES", BATCH_BYTES)
        connection.register("landing_lines", engines.line_batches([file], [path]))
        try:
            for statement in (
                *raw_duckdb.create_tables(PRODUCT_RAW),
                *raw_duckdb.load_statements(load),
            ):
                sql, values = named(statement)
                connection.execute(sql, dict(values) or None)
        except duckdb.Error as error:
            # What the reader raises in the middle of a query comes wrapped by DuckDB.
            if file.damage is None or file.damage.partition(":")[0] not in str(error):
                raise
            return []
        return connection.execute(
            "select file_row_number, payload::varchar, raw_line from RAW.KEEPA_RAW order by 1"
        ).fetchall()


def settings(data: bytes) -> None:
    """They can be used, or are refused in one line that tells no secret.

    The first byte chooses a variable that has the rest as its value; 0 makes it the file `.env`.
    """
    field = list(Settings.model_fields)[(data[0] - 1) % len(Settings.model_fields)] if data else ""
    value = data[1:].replace(b"\0", b"").decode(errors="surrogateescape")
    with environment(data[1:] if data[:1] == b"\0" else b"", field, value):
        try:
            found = Settings.load()
        except SettingsError as refusal:
            said = str(refusal)
        else:
            said = f"{found!r} {found.model_dump_json()}"
            assert found.warehouse_path.is_absolute()
            assert "\n" not in found.raw_bucket
    assert "\n" not in said
    if data[:1] != b"\0" and field in SECRETS and len(value.strip()) > 7:
        assert value.strip() not in said, field


SECRETS: Final = {
    name for name, info in Settings.model_fields.items() if "Secret" in str(info.annotation)
}


@contextmanager
def environment(file: bytes, field: str, value: str) -> Iterator[None]:
    """A working folder with this `.env`, and this value of a field's variable."""
    (FOLDER / ENV_FILE).write_bytes(file)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(FOLDER)
        for name in known_variables():
            patch.delenv(name, raising=False)
        if field and not file:
            patch.setenv(variable_of(field), value)
        yield


# The modules whose branches guide the search.
GUIDING: Final = (
    jsonl.__name__,
    landed_file.__module__,
    engines.__name__,
    Settings.__module__,
    "gzip",
    "dotenv.parser",
    "dotenv.main",
    "dotenv.variables",
)
TARGETS: Final[dict[str, Callable[[bytes], None]]] = {"lines": lines, "settings": settings}


@click.command()
@click.argument("target", type=click.Choice(list(TARGETS)))
@click.option("--seconds", default=60, show_default=True)
def fuzz(target: str, seconds: int) -> None:
    """Search for an input that breaks a promise."""
    import atheris  # No part of the tools: it is built for few systems.

    for module in {sys.modules[name] for name in GUIDING}:
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__:
                setattr(module, name, atheris.instrument_func(function))
    corpus = Path(tempfile.mkdtemp(prefix="vp-corpus-"))
    for number, seed in enumerate(SEEDS[target]):
        (corpus / str(number)).write_bytes(seed)
    options = [
        f"-max_total_time={seconds}",
        "-len_control=0",
        "-max_len=4096",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], str(corpus), *options], TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    fuzz()

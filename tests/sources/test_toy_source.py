"""A source that is added by the steps of the README alone, in a copy of the project."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from veracitypro_pipeline.settings import REPOSITORY_DIR

README: Final = (REPOSITORY_DIR / "README.md").read_text()
AS_OF_DATE: Final = "2025-11-20"
RECORDS: Final = 3

# What each step of the README writes: a new file, or what goes before a line of one that is there.
MANIFEST: Final = """
streams:
  - name: notes
    schema_loader:
      type: InlineSchemaLoader
      schema: {type: object, properties: {note_id: {type: integer}, text: {type: string}}}
"""
DECLARATION: Final = '''
from veracitypro_pipeline.sources.source import Conservation, Equation, Source, Stream

TOY = Source(
    name="toy",
    title="Toy",
    connection="toy_connection_id",
    streams=(Stream("notes", table="TOY_NOTES"),),
    configuration=lambda tracked: {},
    gate="fct_toy_note",
    conservation=Conservation(
        counts="""
            select
                (select count(*) from RAW.TOY_NOTES where source_file in ($files)) as raw_rows,
                0 as unreadable,
                0 as refused,
                (select count(*) from STG.STG_TOY_NOTE) as accepted,
                (select count(*) from MART.FCT_TOY_NOTE) as notes
        """,
        equations=(
            Equation("RAW.TOY_NOTES rows", ("raw_rows",), "notes in STG", ("accepted", "refused")),
            Equation("notes in STG", ("accepted",), "notes in MART", ("notes",)),
        ),
        read_by_core="accepted",
        summary="{accepted} notes",
    ),
)
'''
TABLES: Final = """
use role SYSADMIN;
create stage if not exists ${database}.RAW.STAGE_TOY_NOTES
    url = 's3://${raw_bucket}/env=${environment}/source=toy/stream=notes/'
    storage_integration = VP_S3_INT;
"""
DBT_SOURCE: Final = """
sources:
  - name: toy
    schema: RAW
    tables:
      - name: toy_notes
        config: {meta: {dagster: {asset_key: ["raw", "toy_notes"]}}}
"""
STG: Final = """
select cast(json_extract(payload, '$.note_id') as integer) as note_id
from {{ source('toy', 'toy_notes') }}
"""
NOTES: Final = "".join(f'{{"note_id": {number}, "text": "x"}}\n' for number in range(RECORDS))
CREATED: Final = {
    "infra/airbyte/source_<source>.yaml": MANIFEST,
    "veracitypro_pipeline/sources/<source>.py": DECLARATION,
    "infra/snowflake/sources/<source>.sql": TABLES,
    "dbt_project/models/stg/<source>/_<source>_sources.yml": DBT_SOURCE,
    "veracitypro_pipeline/local/sources/<source>/<stream>.jsonl": NOTES,
}
# The source's own models, in the folders of their stages.
MODELS: Final = {
    "stg/toy/stg_toy_note.sql": STG,
    "stg/toy/stg_toy_note.yml": (
        "models: [{name: stg_toy_note, columns: [{name: note_id, data_tests: [unique, not_null]}]}]"
    ),
    "core/toy/core_toy_note.sql": "select note_id from {{ ref('stg_toy_note') }}",
    "mart/fct_toy_note.sql": "select note_id from {{ ref('core_toy_note') }}",
    "mart/fct_toy_note.yml": (
        "models: [{name: fct_toy_note, columns: [{name: note_id, data_type: integer}]}]"
    ),
}
SETTING: Final = """\
    toy_connection_id: str | None = _setting(
        "VP_TOY_CONNECTION_ID", None, "Airbyte connection of the toy (UUID)."
    )
"""
IMPORT: Final = "from veracitypro_pipeline.sources.toy import TOY\n"
# A text that is there, and what stands there instead.
EDITED: Final = {
    "veracitypro_pipeline/sources/__init__.py": {
        "\nSOURCES: ": f"{IMPORT}\nSOURCES: ",
        "(KEEPA,)": "(KEEPA, TOY)",
    },
    "veracitypro_pipeline/settings.py": {
        "    airbyte_client_id: ": f"{SETTING}    airbyte_client_id: ",
    },
}
NIGHT: Final = """
import json, sys
import dagster as dg
from veracitypro_pipeline.definitions import defs
from veracitypro_pipeline.resources.warehouse.on_duckdb import DuckDBWarehouse
from veracitypro_pipeline.settings import Settings

keys = [dg.AssetKey(key.split("/")) for key in sys.argv[2:]]
job = defs.resolve_job_def("vp_daily_batch")
run = job.execute_in_process(
    partition_key=sys.argv[1],
    asset_selection=keys,
    instance=dg.DagsterInstance.ephemeral(),
    raise_on_error=False,
)
checks = {
    f"{one.asset_key.to_user_string()}: {one.check_name}": one.passed
    for one in run.get_asset_check_evaluations()
}
rows = DuckDBWarehouse(Settings.load().warehouse_path).query(
    "select (select count(*) from RAW.TOY_NOTES), (select count(*) from MART.FCT_TOY_NOTE)"
).rows[0]
print(json.dumps({"is_good": run.success, "checks": checks, "rows": rows}))
"""


def named(path: str) -> str:
    return path.replace("<source>", "toy").replace("<stream>", "notes")


def test_the_steps_name_every_file_that_a_source_needs() -> None:
    section = README.partition("\n## Add a source\n")[2].partition("\n## ")[0]
    steps = re.findall(r"^\d\. .*(?:\n   .*)*", section, re.MULTILINE)
    assert len(steps) == 6
    paths = {path for step in steps[:5] for path in re.findall(r"`([\w<>]+/[\w<>./]+\.\w+)`", step)}
    assert paths == {*CREATED, *EDITED}
    # Nothing that is there is edited but the list of sources and the settings.
    assert {path for path in paths if (REPOSITORY_DIR / named(path)).exists()} == EDITED.keys()


def test_a_source_that_is_added_by_these_steps_passes_all_stages(tmp_path: Path) -> None:
    copy, home = tmp_path / "project", tmp_path / "home"
    for folder in ("veracitypro_pipeline", "dbt_project", "infra"):
        leftovers = shutil.ignore_patterns("__pycache__", "target", "logs")
        shutil.copytree(REPOSITORY_DIR / folder, copy / folder, ignore=leftovers)
    models = {f"dbt_project/models/{path}": text for path, text in MODELS.items()}
    for path, text in {**CREATED, **models}.items():
        file = copy / named(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    for path, edits in EDITED.items():
        text = (copy / path).read_text()
        for old, new in edits.items():
            assert text.count(old) == 1
            text = text.replace(old, new)
        (copy / path).write_text(text)

    keys = [
        "airbyte/toy/notes",
        "landing/toy/notes",
        "raw/toy_notes",
        "stg/stg_toy_note",
        "core/core_toy_note",
        "mart/fct_toy_note",
    ]
    environment = {**os.environ, "PYTHONPATH": str(copy), "VP_HOME": str(home)}
    try:
        outcome = subprocess.run(
            [sys.executable, "-c", NIGHT, AS_OF_DATE, *keys],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        stop = "from veracitypro_pipeline.cli.main import main; main()"
        subprocess.run([sys.executable, "-c", stop, "down"], env=environment, check=False)
    assert outcome.returncode == 0, outcome.stderr[-5000:]
    night = json.loads(outcome.stdout.splitlines()[-1])
    assert night["is_good"], outcome.stderr[-5000:]
    assert night["rows"] == [RECORDS, RECORDS]
    assert all(night["checks"].values())
    assert {name.partition(": ")[2] for name in night["checks"]} >= {
        "sync_succeeded",
        "sync_is_newest",
        "files_arrived",
        "records_equal_lines",
        "lines_loaded_or_quarantined",
        "lines_are_json",
        "not_null_stg_toy_note_note_id",
        "nothing_lost_between_raw_and_mart",
    }

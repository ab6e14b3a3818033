"""What Airflow reads: our dbt project by Astronomer Cosmos, in the mode that the file is named for.

Nothing imports it here: `cosmos.py` copies it into Airflow's folder as `local.py` or `watcher.py`.
"""

import os
from datetime import datetime, timedelta
from pathlib import Path

from cosmos import DbtDag, ExecutionConfig, ProfileConfig, ProjectConfig, RenderConfig
from cosmos.constants import ExecutionMode, LoadMode

MODE = ExecutionMode(Path(__file__).stem)
PROJECT = Path(os.environ["DBT_PROJECT_DIR"])

dag = DbtDag(
    dag_id=MODE.value,
    project_config=ProjectConfig(
        dbt_project_path=PROJECT, manifest_path=PROJECT / "target" / "manifest.json"
    ),
    profile_config=ProfileConfig(
        profile_name="veracitypro",
        target_name=os.environ["DBT_TARGET"],
        profiles_yml_filepath=PROJECT / "profiles.yml",
    ),
    execution_config=ExecutionConfig(execution_mode=MODE),
    render_config=RenderConfig(
        load_method=LoadMode.DBT_MANIFEST,
        # Else a test of two models runs after the first of them, on last night's other: it fails.
        should_detach_multiple_parents_tests=MODE is ExecutionMode.LOCAL,
    ),
    # DuckDB lets one process write. WATCHER has one that does; its other tasks watch that one.
    max_active_tasks=1 if MODE is ExecutionMode.LOCAL else 16,
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    # Airflow (3.3) now and then loses a sensor of WATCHER between its deferral and its return.
    default_args={"retries": 1, "retry_delay": timedelta(seconds=1)},
)

"""dbt as a command: its arguments, its environment, its manifest. No Dagster here.

A build runs in the process of `resources/dbt/process.py`.

As a script it makes the manifest that a wheel brings along, in `dbt_project/target`; `.ci/build`
calls it before it packs.
"""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from filelock import FileLock

from veracitypro_pipeline.home import make_home
from veracitypro_pipeline.masking import masked
from veracitypro_pipeline.resources.warehouse.on_snowflake import session_parameters
from veracitypro_pipeline.settings import Settings, inherited_environment

MANIFEST: Final = "manifest.json"
# The prefix of dbt's variables.
_DBT: Final = "DBT_"
# That of variables that are secret.
SECRET: Final = "DBT_ENV_SECRET_"  # noqa: S105 - the name, no secret
# dbt adds variables of this prefix to its events and artifacts, under the rest of their name.
CUSTOM: Final = "DBT_ENV_CUSTOM_ENV_"
PARTIAL_PARSE: Final = "partial_parse.msgpack"
# Beside a manifest: the fingerprint of the files that it was made from.
FINGERPRINT: Final = "manifest.sources"
# What of a dbt project makes up the manifest.
_SOURCE_FILES: Final = ("dbt_project.yml", "profiles.yml")
_SOURCE_FOLDERS: Final = ("models", "macros", "seeds", "tests")
# Not the console script: it need not be on the PATH.
_ENTRY_POINT: Final = "from dbt.cli.main import cli; cli()"
_SHOWN_OUTPUT_LINES: Final = 5


class ManifestMissingError(RuntimeError):
    """There is no manifest, or none can be made. One sentence with the next step."""


def arguments(*args: str) -> list[str]:
    """The command line of one dbt invocation."""
    return [sys.executable, "-c", _ENTRY_POINT, *args]


def environment(settings: Settings, target_path: Path) -> dict[str, str]:
    """The whole environment of a dbt process: the same for parsing and building.

    Every option of dbt is also a variable (`DBT_QUIET`, `DBT_ENGINE_QUIET`). Those of our parent
    are meant for another project, so none of them reaches dbt. Options of the log are set even to
    their defaults, because Dagster reads its events there.

    dbt compares the environment between two parses; a difference makes it parse everything again.
    """
    project = str(settings.dbt_project_dir.resolve())
    return {
        **inherited_environment(without=_DBT),
        "DBT_PROJECT_DIR": project,
        "DBT_PROFILES_DIR": project,
        "DBT_TARGET": settings.environment,
        "DBT_TARGET_PATH": str(target_path),
        "DBT_LOG_PATH": str(target_path),
        "DBT_QUIET": "false",
        "DBT_LOG_FORMAT": "json",
        "DBT_LOG_LEVEL": "info",
        # Each statement with its timing, twice over, is a tenth of a build's time.
        "DBT_LOG_LEVEL_FILE": "info",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        # Its words go to Slack and to tables.
        "DBT_USE_COLORS": "false",
        "DBT_USE_COLORS_FILE": "false",
        "DBT_VERSION_CHECK": "false",
        "PYTHONUNBUFFERED": "1",
        # Whatever the terminal's: we read its output as UTF-8.
        "PYTHONIOENCODING": "utf-8",
        # Not a schema of one's own, as dbt by hand has in dev.
        "DBT_SCHEMA": "STG",
        "VP_WAREHOUSE_PATH": str(settings.warehouse_path),
        "VP_DUCKDB_MEMORY": settings.duckdb_memory,
        "VP_DAILY_HISTORY_DAYS": str(settings.daily_history_days or ""),
        **_snowflake(settings),
    }


def _snowflake(settings: Settings) -> dict[str, str]:
    """What `profiles.yml` reads for Snowflake. dbt keeps secret variables out of its logs."""
    path, key = settings.snowflake_private_key_path, settings.snowflake_private_key_base64
    secrets = {
        "PRIVATE_KEY": key,
        "PASSPHRASE": settings.snowflake_private_key_passphrase,
        "PASSWORD": None if path or key else settings.snowflake_password,
    }
    address = settings.snowflake_url
    return {
        "SNOWFLAKE_ACCOUNT": settings.snowflake_account or "",
        "SNOWFLAKE_USER": settings.snowflake_user or "",
        "SNOWFLAKE_PRIVATE_KEY_PATH": str(path.expanduser()) if path else "",
        **{
            f"{SECRET}SNOWFLAKE_{name}": secret.get_secret_value() if secret else ""
            for name, secret in secrets.items()
        },
        "SNOWFLAKE_DBT_ROLE": settings.snowflake_dbt_role,
        "SNOWFLAKE_WAREHOUSE": settings.snowflake_warehouse,
        "SNOWFLAKE_DATABASE": settings.snowflake_database,
        # As `alter session set` takes them.
        "SNOWFLAKE_SESSION_PARAMETERS": " ".join(
            f"{name} = {value!r}" for name, value in session_parameters(settings).items()
        ),
        "SNOWFLAKE_PROTOCOL": address.scheme if address else "",
        "SNOWFLAKE_HOST": (address.host or "") if address else "",
        "SNOWFLAKE_PORT": str(address.port) if address else "",
    }


def build_folder(settings: Settings, name: str = "build") -> Path:
    """Where a build leaves its artifacts, starting from the parse that made the manifest."""
    folder = make_home(settings.home_dir) / "dbt" / settings.environment / name
    folder.mkdir(parents=True, exist_ok=True)
    parsed = settings.dbt_target_dir / PARTIAL_PARSE
    if parsed.exists() and not (folder / PARTIAL_PARSE).exists():
        shutil.copyfile(parsed, folder / PARTIAL_PARSE)
    return folder


def manifest_path(settings: Settings) -> Path:
    """The manifest that definitions are loaded from: made from the files of the dbt project.

    On a laptop and in a checkout it is made here when it is missing, damaged or of other files;
    elsewhere it comes with the wheel.

    Raises:
        ManifestMissingError: it is not there, damaged or of other files, or dbt cannot parse the
            project.
    """
    manifest = settings.dbt_target_dir / MANIFEST
    if settings.is_dbt_parsed_here:
        _parse_if_stale(settings, manifest)
    if fault := manifest_fault(settings):
        raise ManifestMissingError(fault)
    if not _is_whole(manifest):
        raise ManifestMissingError(
            f"The dbt manifest {manifest} is damaged: build the wheel again with `.ci/build`, which"
            " makes it first."
        )
    return manifest


def manifest_fault(settings: Settings) -> str | None:
    """What is wrong with the manifest, as a sentence with the next step; None if it can be used."""
    manifest, project = settings.dbt_target_dir / MANIFEST, settings.dbt_project_dir
    if not manifest.exists():
        return (
            f"There is no dbt manifest at {manifest}: build the wheel with `.ci/build`, which makes"
            " it first."
        )
    if _is_stale(project, manifest):
        return (
            f"The dbt manifest {manifest} was made from other files than those in {project}: build"
            " the wheel again with `.ci/build`, which makes it first."
        )
    return None


def fingerprint(project: Path) -> str:
    """A hash over the names and contents of all files that make up the manifest."""
    files = [project / name for name in _SOURCE_FILES]
    for folder in _SOURCE_FOLDERS:
        files += sorted(path for path in (project / folder).rglob("*") if path.is_file())
    digest = hashlib.sha256()
    for path in files:
        content = path.read_bytes()
        digest.update(f"{path.relative_to(project).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def _parse_if_stale(settings: Settings, manifest: Path) -> None:
    def is_good() -> bool:
        return not _is_stale(settings.dbt_project_dir, manifest) and _is_whole(manifest)

    if is_good():
        return
    make_home(settings.home_dir)
    manifest.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(manifest.with_suffix(".lock")):
        # Another process may have made it while we waited.
        if not is_good():
            parse(settings, manifest.parent)


def parse(settings: Settings, target_path: Path) -> None:
    """Make the manifest in a folder.

    Raises:
        ManifestMissingError: dbt cannot parse the project.
    """
    # Of the files as they are before dbt reads them: one that changes meanwhile is parsed again.
    made_from = fingerprint(settings.dbt_project_dir)
    answer = subprocess.run(
        arguments("--log-format", "text", "--no-use-colors", "parse"),
        cwd=settings.dbt_project_dir,
        env=environment(settings, target_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if answer.returncode != 0:
        raise ManifestMissingError(
            f"dbt cannot parse {settings.dbt_project_dir}: {_last_words(answer.stdout)}"
        )
    (target_path / FINGERPRINT).write_text(made_from, encoding="utf-8")


def compiled(settings: Settings) -> dict[str, str]:
    """The SQL of every model and test as the warehouse gets it now, by kind and name.

    Asks the warehouse what is there already, because that decides how a model is built.

    Raises:
        ManifestMissingError: dbt cannot compile the project.
    """
    folder = build_folder(settings, "compiled")
    answer = subprocess.run(
        arguments("--log-format", "text", "--no-use-colors", "compile"),
        cwd=settings.dbt_project_dir,
        env=environment(settings, folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if answer.returncode != 0:
        raise ManifestMissingError(
            f"dbt cannot compile {settings.dbt_project_dir}: {_last_words(answer.stdout)}"
        )
    results = json.loads((folder / "run_results.json").read_text(encoding="utf-8"))["results"]
    return {
        "/".join(result["unique_id"].split(".")[::2][:2]): result["compiled_code"]
        for result in results
        if result.get("compiled_code")
    }


def _last_words(said: str) -> str:
    last_lines = " ".join(said.split("\n")[-_SHOWN_OUTPUT_LINES:]).strip()
    return masked(last_lines) or "it said nothing"


def _is_stale(project: Path, manifest: Path) -> bool:
    made_from = manifest.with_name(FINGERPRINT)
    if not manifest.exists() or not made_from.exists():
        return True
    return made_from.read_text(encoding="utf-8", errors="replace") != fingerprint(project)


def _is_whole(manifest: Path) -> bool:
    """A disk that was full, or a process that was killed, leaves a part of the file."""
    try:
        content = json.loads(manifest.read_bytes())
    except ValueError:
        return False
    return isinstance(content, dict) and bool(content.get("nodes"))


if __name__ == "__main__":
    # Both accounts' targets give the same graph, so that one manifest serves dev and prod.
    of_deployment = Settings.load(environment="prod")
    parse(of_deployment, of_deployment.dbt_project_dir / "target")

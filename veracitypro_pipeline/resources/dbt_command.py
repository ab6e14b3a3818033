"""dbt as a command: its arguments, its environment, its manifest. No Dagster here.

dbt runs in a process of its own with our interpreter, so that it needs no `dbt` on the PATH and a
crash of it, or a database lock it holds, ends with it.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from filelock import FileLock

from veracitypro_pipeline.settings import Settings, inherited_environment

MANIFEST: Final = "manifest.json"
# dbt's prefix for variables that are secret.
SECRET: Final = "DBT_ENV_SECRET_"  # noqa: S105 - the name, no secret
PARTIAL_PARSE: Final = "partial_parse.msgpack"
# Folders of a dbt project whose files make up the manifest.
_SOURCES: Final = ("models", "macros", "seeds", "tests")
# Not the console script: it need not be on the PATH.
_ENTRY_POINT: Final = "from dbt.cli.main import cli; cli()"
_SHOWN_OUTPUT_LINES: Final = 5


class ManifestMissing(RuntimeError):
    """There is no manifest, or none can be made. One sentence with the next step."""


def arguments(*args: str) -> list[str]:
    """The command line of one dbt invocation."""
    return [sys.executable, "-c", _ENTRY_POINT, *args]


def environment(settings: Settings, target_path: Path) -> dict[str, str]:
    """The whole environment of a dbt process: the same for parsing and building.

    dbt compares it between two parses; a difference makes it parse everything again.
    """
    project = str(settings.dbt_project_dir.resolve())
    return {
        **inherited_environment(),
        "DBT_PROJECT_DIR": project,
        "DBT_PROFILES_DIR": project,
        "DBT_TARGET": settings.environment,
        "DBT_TARGET_PATH": str(target_path),
        "DBT_LOG_PATH": str(target_path),
        "DBT_LOG_FORMAT": "json",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_VERSION_CHECK": "false",
        "PYTHONUNBUFFERED": "1",
        "VP_WAREHOUSE_PATH": str(settings.warehouse_path),
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
        "SNOWFLAKE_ROLE": settings.snowflake_dbt_role,
        "SNOWFLAKE_WAREHOUSE": settings.snowflake_warehouse,
        "SNOWFLAKE_DATABASE": settings.snowflake_database,
        "SNOWFLAKE_PROTOCOL": address.scheme if address else "",
        "SNOWFLAKE_HOST": (address.host or "") if address else "",
        "SNOWFLAKE_PORT": str(address.port) if address else "",
    }


def build_folder(settings: Settings) -> Path:
    """Where a build leaves its artifacts, starting from the parse that made the manifest."""
    folder = settings.home_dir / "dbt" / settings.environment / "build"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    parsed = settings.dbt_target_dir / PARTIAL_PARSE
    if parsed.exists() and not (folder / PARTIAL_PARSE).exists():
        shutil.copyfile(parsed, folder / PARTIAL_PARSE)
    return folder


def manifest_path(settings: Settings) -> Path:
    """The manifest that definitions are loaded from.

    On a laptop and in a checkout it is made here when it is missing or older than the project;
    elsewhere it comes with the image.

    Raises:
        ManifestMissing: it is not there, or dbt cannot parse the project.
    """
    manifest = settings.dbt_target_dir / MANIFEST
    if settings.is_dbt_parsed_here:
        _parse_if_stale(settings, manifest)
    if not manifest.exists():
        raise ManifestMissing(
            f"There is no dbt manifest at {manifest}: build it into the image with"
            f" `dbt parse --project-dir {settings.dbt_project_dir}`."
        )
    return manifest


def _parse_if_stale(settings: Settings, manifest: Path) -> None:
    if not _is_stale(settings, manifest):
        return
    manifest.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with FileLock(manifest.with_suffix(".lock")):
        if not _is_stale(settings, manifest):  # Another process made it while we waited.
            return
        answer = subprocess.run(
            arguments("--log-format", "text", "--no-use-colors", "parse"),
            cwd=settings.dbt_project_dir,
            env=environment(settings, manifest.parent),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    if answer.returncode != 0:
        last_lines = " ".join(answer.stdout.split("\n")[-_SHOWN_OUTPUT_LINES:]).strip()
        raise ManifestMissing(
            f"dbt cannot parse {settings.dbt_project_dir}: {last_lines or 'it said nothing'}"
        )


def _is_stale(settings: Settings, manifest: Path) -> bool:
    if not manifest.exists():
        return True
    project = settings.dbt_project_dir
    sources = [project / "dbt_project.yml", project / "profiles.yml"]
    sources += [path for folder in _SOURCES for path in (project / folder).rglob("*")]
    made_at = manifest.stat().st_mtime
    return any(path.stat().st_mtime > made_at for path in sources)

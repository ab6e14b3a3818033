"""The `vp` command: its sub-commands, imported when they are called, and how errors are printed.

Exit codes: 0 all is well; 1 a run failed or a blocking check is red; 2 the request cannot be
carried out (usage, settings, a stack that does not start); 130, 143 or 129 stopped by a signal
(`stopping.py`); 141 the output was closed. An error is one sentence on standard error; `--debug`
shows the traceback.
"""

import importlib
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click

from veracitypro_pipeline import full_disk
from veracitypro_pipeline.cli import stopping
from veracitypro_pipeline.cli.streams import CLOSED_PIPE, OutputLostError, guard_streams
from veracitypro_pipeline.masking import mask_error, masked

FAILED: Final = 1
CANNOT_DO: Final = 2
# The umask: no rights for group and others.
_PRIVATE: Final = 0o077

# Command -> its module and a line of help. Modules are imported on demand, so that `vp --help` does
# not wait for all of them, nor `vp sql` for Dagster.
_COMMANDS: Final = {
    "run": ("veracitypro_pipeline.cli.run", "Run a daily batch through the whole graph."),
    "backfill": (
        "veracitypro_pipeline.cli.backfill",
        "Load days again from their files in S3.",
    ),
    "status": ("veracitypro_pipeline.cli.status", "The last runs, what is red, how fresh MART is."),
    "sql": ("veracitypro_pipeline.cli.sql", "Run one read-only query."),
    "dashboard": ("veracitypro_pipeline.cli.dashboard", "The pipeline and its products as pages."),
    "dev": ("veracitypro_pipeline.cli.dev", "Start the local stack and the Dagster UI."),
    "infra": (
        "veracitypro_pipeline.cli.infra",
        "Compare Snowflake with infra/snowflake; create it.",
    ),
    "doctor": ("veracitypro_pipeline.cli.doctor", "Probe every setting and every service."),
    "down": ("veracitypro_pipeline.cli.home", "Stop the local stack; its data stays."),
    "reset": ("veracitypro_pipeline.cli.home", "Delete all local state, after asking."),
}


class CannotDo(click.ClickException):
    """A request that cannot be carried out. The message is one sentence with the next step."""

    exit_code = CANNOT_DO

    def show(self, file: Any = None) -> None:  # noqa: ARG002 - click's signature
        say(self.format_message())


class _Commands(click.Group):
    """Lists the commands in the order of `_COMMANDS`."""

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        with _output_may_close():
            return super().make_context(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        with _output_may_close():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module, _ = _COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])


@contextmanager
def _output_may_close() -> Iterator[None]:
    """Exit quietly if the reader has closed standard output.

    Raises:
        CannotDo: standard output cannot be written for another reason.
    """
    try:
        yield
        sys.stdout.flush()
    except OutputLostError as lost:
        if lost.is_closed_pipe:
            sys.exit(CLOSED_PIPE)
        raise CannotDo(str(lost)) from lost


# Commands inherit this. Click's own width of 80 would cut their summaries.
_SETTINGS: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.command(cls=_Commands, context_settings=_SETTINGS)
@click.version_option(package_name="veracitypro-pipeline", prog_name="vp")
def vp() -> None:
    """The VeracityPro pipeline: Keepa to Power BI, every night, or on this machine.

    `vp run` runs one whole night here without any account; `vp sql` queries its tables.

    Completion in bash: eval "$(_VP_COMPLETE=bash_source vp)"; zsh and fish likewise.
    """


def main() -> None:
    """The console script. Files that it and its children create are private to the user."""
    os.umask(_PRIVATE)
    guard_streams()
    _let_libraries_warn()
    stopping.stop_on_signals()
    vp(prog_name="vp")


def say(text: str) -> None:
    """Print a line of progress on standard error."""
    from veracitypro_pipeline.cli.terminal import shown

    click.echo(f"vp: {shown(masked(text))}", err=True)


def _let_libraries_warn() -> None:
    """Undo `PYTHONWARNINGS=error`, which people set for their own programs: a library's first
    warning would end the night, and Dagster's use of pydantic warns at every import."""
    os.environ.pop("PYTHONWARNINGS", None)
    if any("error" in option for option in sys.warnoptions):
        warnings.resetwarnings()
        for category in (DeprecationWarning, PendingDeprecationWarning, ResourceWarning):
            warnings.simplefilter("ignore", category)


def common_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--home` and `--debug`, and print errors as one sentence.

    `--home` is put into the environment, so that the command and its child processes use the same
    home.
    """

    @click.option(
        "--home",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder of all local state  [default: VP_HOME or .vp]",
    )
    @click.option("--debug", is_flag=True, help="Show the traceback of an error.")
    @wraps(command)
    def with_options(*, home: Path | None, debug: bool, **options: Any) -> None:
        if home is not None:
            os.environ["VP_HOME"] = str(home)
        try:
            command(**options)
        except (click.ClickException, click.exceptions.Exit, click.Abort, OutputLostError):
            raise
        except KeyboardInterrupt:
            click.echo("vp: interrupted.", err=True)
            sys.exit(stopping.exit_code())
        except Exception as error:
            if debug:
                raise mask_error(error)  # noqa: B904 - the same error, or one with its causes
            raise CannotDo(_sentence(error)) from error

    return with_options


def _sentence(error: Exception) -> str:
    """The message of an error; of a class that is not ours, its name, too."""
    if message := full_disk.message_of(error):
        return message
    if isinstance(error, OSError) and (message := _of_home(error)):
        return message
    if type(error).__module__.startswith("sqlalchemy") and (message := _of_dagster(error)):
        return message
    text = " ".join(str(getattr(error, "description", None) or error).split())
    if type(error).__module__.startswith("veracitypro_pipeline") and text:
        return text
    return f"{type(error).__name__}: {text or 'no reason given'} (--debug shows where.)"


def _of_dagster(error: Exception) -> str | None:
    """The message if SQLite caused the error, whose own text has the whole statement."""
    import sqlite3

    from veracitypro_pipeline.settings import Settings

    reason = getattr(error, "orig", None)
    if not isinstance(reason, sqlite3.Error):
        return None
    is_held = str(reason).endswith("is locked")
    step = (
        "end the program that holds one of them, or wait for it"
        if is_held
        else "make sure that they can be read and written"
    )
    return (
        f"Dagster's databases in {Settings.load().dagster_home} cannot be used ({reason}): {step},"
        " then try again."
    )


def _of_home(error: OSError) -> str | None:
    """The message if the home cannot be written."""
    from veracitypro_pipeline.settings import Settings

    home = Settings.load().home_dir
    place = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else None
    if place is None or not (place.is_relative_to(home) or home.is_relative_to(place)):
        return None
    if isinstance(error, FileNotFoundError) and home.exists():
        return None  # A file is missing in the home, which itself can be written.
    return (
        f"The home {home} cannot be written ({error.strerror}: {place}): name another with --home"
        " or VP_HOME."
    )

"""The `vp` command: its sub-commands, loaded when they are called, and how errors are said.

Exit codes: 0 all is well; 1 a run failed or a blocking check is red; 2 a request that cannot be
carried out (usage, settings, a stack that does not start); 130, 143 or 129 stopped by a signal
(`stopping.py`); 141 the reader of its output went away. An error is one sentence on standard error;
`--debug` shows the traceback.
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
from veracitypro_pipeline.cli.streams import CLOSED_PIPE, OutputLost, guard_streams
from veracitypro_pipeline.masking import mask_error, masked

FAILED: Final = 1
REFUSED: Final = 2
# As a umask: nothing for the group and others.
_PRIVATE: Final = 0o077

# Command -> its module and what it does, in a line. Modules are loaded on demand: `vp --help` must
# not wait for all of them, nor `vp sql` for Dagster.
_COMMANDS: Final = {
    "run": ("veracitypro_pipeline.cli.run", "Run a daily batch through the whole graph."),
    "backfill": (
        "veracitypro_pipeline.cli.backfill",
        "Load days again from what S3 holds of them.",
    ),
    "status": ("veracitypro_pipeline.cli.status", "The last runs, what is red, how fresh MART is."),
    "sql": ("veracitypro_pipeline.cli.sql", "Ask the warehouse one read-only question."),
    "dashboard": ("veracitypro_pipeline.cli.dashboard", "The pipeline and its products as pages."),
    "dev": ("veracitypro_pipeline.cli.dev", "Start the local stack and the Dagster UI."),
    "infra": ("veracitypro_pipeline.cli.infra", "Compare Snowflake with infra/snowflake; make it."),
    "doctor": ("veracitypro_pipeline.cli.doctor", "Look at every setting and every service."),
    "down": ("veracitypro_pipeline.cli.home", "Stop the local stack; what it kept stays."),
    "reset": ("veracitypro_pipeline.cli.home", "Delete all local state, after asking."),
}


class CannotDo(click.ClickException):
    """A request that cannot be carried out. The message is one sentence with the next step."""

    exit_code = REFUSED

    def show(self, file: Any = None) -> None:  # noqa: ARG002 - click's signature
        say(self.format_message())


class _Commands(click.Group):
    """Commands in the order of a day's use."""

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
    """End quietly if the reader of standard output has seen enough.

    Raises:
        CannotDo: it cannot be written for another reason.
    """
    try:
        yield
        sys.stdout.flush()
    except OutputLost as lost:
        if lost.is_closed_pipe:
            sys.exit(CLOSED_PIPE)
        raise CannotDo(str(lost)) from lost


# Commands inherit this. Click's own width of 80 would cut their summaries.
_SETTINGS: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.command(cls=_Commands, context_settings=_SETTINGS)
@click.version_option(package_name="veracitypro-pipeline", prog_name="vp")
def vp() -> None:
    """The VeracityPro pipeline: Keepa to Power BI, every night, or on this machine.

    `vp run` plays one whole night here without any account; `vp sql` looks at what it brought.

    Completion in bash: eval "$(_VP_COMPLETE=bash_source vp)"; zsh and fish likewise.
    """


def main() -> None:
    """The console script. What it and its children write is for its user alone."""
    os.umask(_PRIVATE)
    guard_streams()
    _let_libraries_warn()
    stopping.stop_on_signals()
    vp(prog_name="vp")


def say(text: str) -> None:
    """A line on standard error about what goes on."""
    from veracitypro_pipeline.cli.terminal import shown

    click.echo(f"vp: {shown(masked(text))}", err=True)


def _let_libraries_warn() -> None:
    """With `PYTHONWARNINGS=error`, which people set for programs of their own, a night would end at
    the first warning of a library; Dagster's own use of pydantic warns at every import."""
    os.environ.pop("PYTHONWARNINGS", None)
    if any("error" in option for option in sys.warnoptions):
        warnings.resetwarnings()
        for category in (DeprecationWarning, PendingDeprecationWarning, ResourceWarning):
            warnings.simplefilter("ignore", category)


def common_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--home` and `--debug`, and every error of ours as one sentence.

    The command is called once the environment says which home it is; so it, and every process that
    it starts, finds the same state.
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
        except (click.ClickException, click.exceptions.Exit, click.Abort, OutputLost):
            raise
        except KeyboardInterrupt:
            click.echo("vp: interrupted.", err=True)
            sys.exit(stopping.exit_code())
        except Exception as error:
            if debug:
                raise mask_error(error)  # noqa: B904 - it is the same one, or has what is behind it
            raise CannotDo(_sentence(error)) from error

    return with_options


def _sentence(error: Exception) -> str:
    """The error's own sentence; an error that was not made for people is named, too."""
    if said := full_disk.said_of(error):
        return said
    if isinstance(error, OSError) and (said := _of_home(error)):
        return said
    if type(error).__module__.startswith("sqlalchemy") and (said := _of_dagster(error)):
        return said
    text = " ".join(str(getattr(error, "description", None) or error).split())
    if type(error).__module__.startswith("veracitypro_pipeline") and text:
        return text
    return f"{type(error).__name__}: {text or 'no reason given'} (--debug shows where.)"


def _of_dagster(error: Exception) -> str | None:
    """What to do, if it is SQLite that cannot go on; its own error holds the whole statement."""
    import sqlite3

    from veracitypro_pipeline.settings import Settings

    reason = getattr(error, "orig", None)
    if not isinstance(reason, sqlite3.Error):
        return None
    is_held = str(reason).endswith("is locked")
    step = (
        "end the program that holds one of them, or wait for it"
        if is_held
        else "see to it that they can be read and written"
    )
    return (
        f"Dagster's databases in {Settings.load().dagster_home} cannot be used ({reason}): {step},"
        " then try again."
    )


def _of_home(error: OSError) -> str | None:
    """What to do, if it is the home that cannot be written."""
    from veracitypro_pipeline.settings import Settings

    home = Settings.load().home_dir
    place = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else None
    if place is None or not (place.is_relative_to(home) or home.is_relative_to(place)):
        return None
    if isinstance(error, FileNotFoundError) and home.exists():
        return None  # Of a file that is missing there.
    return (
        f"The home {home} cannot be written ({error.strerror}: {place}): name another with --home"
        " or VP_HOME."
    )

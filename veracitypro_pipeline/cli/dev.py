"""`vp dev`: the stack and Dagster's own development server, on the home's instance."""

import socket
import subprocess
import sys

import click

from veracitypro_pipeline.cli.instance import prepare_dagster_home
from veracitypro_pipeline.cli.main import CannotDo, common_options
from veracitypro_pipeline.settings import Settings

HOST = "127.0.0.1"


@click.command()
@click.option("--port", default=3000, show_default=True, help="Port of the Dagster UI.")
@common_options
def dev(port: int) -> None:
    """Start the local stack and `dagster dev`; Ctrl+C ends the latter, `vp down` the stack."""
    _refuse_port_in_use(port)
    settings = Settings.load()
    if settings.environment == "local":
        from veracitypro_pipeline.local.run_settings import started_stack

        started_stack(settings)
    prepare_dagster_home(settings)
    command = [sys.executable, "-m", "dagster", "dev", "-m", "veracitypro_pipeline.definitions"]
    click.echo(f"Dagster comes up at http://{HOST}:{port}", err=True)
    try:
        code = subprocess.run([*command, "-h", HOST, "-p", str(port)], check=False).returncode
    except KeyboardInterrupt:
        code = 0
    sys.exit(code)


def _refuse_port_in_use(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise CannotDo(
                f"The port {port} cannot be had ({error}): another program uses it, perhaps"
                " another `vp dev`; end that, or name another port with --port."
            ) from error

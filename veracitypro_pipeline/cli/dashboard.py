"""`vp dashboard`: the pages about the pipeline and its products, in the browser."""

import importlib.util
import os
import sys
from typing import Final

import click

from veracitypro_pipeline.cli.main import CannotDo, common_options
from veracitypro_pipeline.cli.ports import HOST, usable_port
from veracitypro_pipeline.settings import PACKAGE_DIR, Settings

SCRIPT: Final = PACKAGE_DIR / "dashboard" / "app.py"
# Options of Streamlit; on the command line they override its configuration files and variables.
OPTIONS: Final = {
    "server.address": HOST,
    "server.enableXsrfProtection": "true",
    "server.fileWatcherType": "none",
    # Otherwise the first start on a machine asks for an e-mail address.
    "server.showEmailPrompt": "false",
    "browser.gatherUsageStats": "false",
    # Unexpected errors are shown in this terminal, not in the browser.
    "client.showErrorDetails": "none",
    "client.toolbarMode": "minimal",
    "logger.hideWelcomeMessage": "true",
    "theme.base": "light",
    "theme.primaryColor": "#0f766e",
    "theme.font": "sans-serif",
}


@click.command(short_help="Show the pipeline and each product as pages.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="[default: a free one]")
@click.option("--no-browser", is_flag=True, help="Print the address and open no browser.")
@common_options
def dashboard(port: int, no_browser: bool) -> None:
    """Show the pipeline and each product beside its rivals, as pages in the browser.

    Reads MONITORING, STG and MART of the environment's warehouse, also while a run writes there.
    The pages are served on loopback only, and nothing leaves this machine. Ctrl+C ends it.
    """
    if importlib.util.find_spec("streamlit") is None:
        # Not `pip install veracitypro-pipeline[dashboard]`: anyone could register that name on
        # PyPI.
        raise CannotDo(
            "The pages need Streamlit: in the checkout, pip install -c requirements.txt -e"
            " '.[dashboard]'."
        )
    Settings.load()
    port = usable_port(port)
    click.echo(f"The dashboard is at http://{HOST}:{port} (Ctrl+C ends it).", err=True)
    options = {
        **OPTIONS,
        "server.port": str(port),
        "server.headless": str(no_browser).lower(),
    }
    flags = [f"--{name}={value}" for name, value in options.items()]
    # Streamlit replaces this process, so Ctrl+C reaches it.
    os.execv(sys.executable, [sys.executable, "-m", "streamlit", "run", str(SCRIPT), *flags])  # noqa: S606

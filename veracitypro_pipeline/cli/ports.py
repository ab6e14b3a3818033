"""Ports on loopback for the commands that serve pages."""

import errno
import socket
from typing import Final

from veracitypro_pipeline.cli.main import CannotDo

HOST: Final = "127.0.0.1"


def usable_port(port: int) -> int:
    """The port, or a free one for 0.

    Raises:
        CannotDo: it cannot be used, mostly because another program uses it.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            in_use = error.errno == errno.EADDRINUSE
            why = "another program uses it, perhaps another `vp`" if in_use else error.strerror
            raise CannotDo(
                f"The port {port} cannot be used: {why}; name another with --port."
            ) from error
        return int(probe.getsockname()[1])

"""Corrects environment variables that HTTP clients read themselves: proxies and AWS's. Pure.

Every client and every child process reads them. So they are corrected once in the environment, not
in each client. `settings.py` applies this to the process.
"""

import os
from collections.abc import Mapping, MutableMapping
from typing import Final
from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
# AWS's client also reads a profile, an endpoint, retries and more from variables with this prefix,
# and from files.
AWS: Final = "AWS_"
NO_AWS_FILES: Final = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
_PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy")


def no_proxy_for_loopback(environment: MutableMapping[str, str]) -> None:
    """Exempt loopback from the proxies, if any are set."""
    if not any(environment.get(spelt) for name in _PROXIES for spelt in (name, name.upper())):
        return
    listed = ",".join(environment.get(name, "") for name in ("no_proxy", "NO_PROXY"))
    hosts = dict.fromkeys(host.strip() for host in (*listed.split(","), *LOOPBACK))
    hosts.pop("", None)
    # Clients read one spelling or the other, and some accept `*` only alone.
    both = "*" if "*" in hosts else ",".join(hosts)
    environment["no_proxy"] = environment["NO_PROXY"] = both


def remove_aws_variables(environment: MutableMapping[str, str], ours: frozenset[str]) -> None:
    """Remove AWS's variables that are not settings of `ours`, and AWS's files."""
    for name in [name for name in environment if name.startswith(AWS) and name not in ours]:
        del environment[name]
    environment.update(NO_AWS_FILES)


def proxy_variable(environment: Mapping[str, str], url: str) -> str | None:
    """The variable that sends requests for a URL to a proxy; None if they are direct.

    >>> proxy_variable({"HTTPS_PROXY": "http://proxy:3128"}, "https://api.example/v1")
    'HTTPS_PROXY'
    """
    parts = urlsplit(url)
    exempt = {"no": environment.get("no_proxy") or environment.get("NO_PROXY", "")}
    if not parts.hostname or proxy_bypass_environment(parts.hostname, exempt):
        return None
    names = (f"{parts.scheme}_proxy", "all_proxy")
    spelt = (name for lower in names for name in (lower, lower.upper()))
    return next((name for name in spelt if environment.get(name)), None)

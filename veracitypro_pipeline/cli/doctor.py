"""`vp doctor`: probes everything that a night needs and prints each fault with its fix."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import click

from veracitypro_pipeline.cli.main import FAILED, common_options, say
from veracitypro_pipeline.cli.terminal import shown
from veracitypro_pipeline.settings import Settings

if TYPE_CHECKING:
    from veracitypro_pipeline.doctor.deployment import Deployment
    from veracitypro_pipeline.doctor.probe import Finding

_COLOURS: Final = {"ok": "green", "fault": "red", "waits": "yellow"}


@click.command(short_help="Probe every setting and service; print each fix.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@common_options
def doctor(as_json: bool) -> None:
    """Probe every setting and service of the environment, one line each.

    Writes one probe object to the monitoring bucket, starts a local stack that is down, and changes
    nothing else. The exit code is 0 only if all is well; each fault is printed with its fix.
    """
    from veracitypro_pipeline.doctor.checklist import examine

    settings = Settings.load()
    found = []
    for finding in examine(_deployment(settings)):
        found.append(finding)
        if not as_json:
            _print(finding)
    faults = [finding for finding in found if finding.state == "fault"]
    if as_json:
        document = {
            "environment": settings.environment,
            "is_good": not faults,
            # The key `said` is part of the contract.
            "checks": [
                {"name": one.name, "state": one.state, "said": one.message, "fix": one.fix}
                for one in found
            ],
        }
        click.echo(json.dumps(document, indent=1))
    else:
        outcome = f"{len(faults)} to fix, from the top" if faults else "All is well"
        click.echo(f"{outcome}: {settings.environment}, {len(found)} checks.")
    if faults:
        sys.exit(FAILED)


def _deployment(settings: Settings) -> "Deployment":
    """The deployment with the settings of a run, as `definitions.run_settings` chooses them.

    It does not import that module, which needs a dbt manifest: the fault may be its absence.
    """
    from veracitypro_pipeline.doctor.deployment import Deployment

    if settings.environment != "local":
        from veracitypro_pipeline.resources.run_settings import RunSettings

        return Deployment(RunSettings())
    from veracitypro_pipeline.doctor.probe import ProbeError
    from veracitypro_pipeline.local.stack.lifecycle import StackError, products_in_play
    from veracitypro_pipeline.local.stack.run_settings import StackRunSettings, started_stack

    stack = started_stack(settings, say)

    def tracked() -> Mapping[int, Sequence[str]]:
        try:
            return products_in_play(stack)
        except StackError as error:
            raise ProbeError(str(error)) from error

    return Deployment(StackRunSettings(), tracked)


def _print(finding: "Finding") -> None:
    mark = click.style(f"{finding.state:5}", fg=_COLOURS[finding.state])
    fix = f". Fix: {finding.fix}" if finding.fix else ""
    text = shown(f"{finding.name}: {finding.message.rstrip('.')}{fix}")
    click.echo(f"{mark}  {text}")

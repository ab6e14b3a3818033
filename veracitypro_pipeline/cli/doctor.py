"""`vp doctor`: is everything set up that a night needs? Every item looked at, each with its fix."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import click

from veracitypro_pipeline.cli.main import FAILED, common_options, say
from veracitypro_pipeline.cli.terminal import shown
from veracitypro_pipeline.settings import Settings

if TYPE_CHECKING:
    from veracitypro_pipeline.doctor.check import Finding
    from veracitypro_pipeline.doctor.deployment import Deployment

_COLOURS: Final = {"ok": "green", "fault": "red", "waits": "yellow"}


@click.command(short_help="Look at every setting and service; say each fix.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@common_options
def doctor(as_json: bool) -> None:
    """Look at every setting and service of the environment, one line each.

    Changes nothing but a probe object in the monitoring bucket, and starts a local stack that is
    down. Ends with exit code 0 only if all
    is well; a line that is not says how to mend it.
    """
    from veracitypro_pipeline.doctor.checklist import examine

    settings = Settings.load()
    found = []
    for finding in examine(_deployment(settings)):
        found.append(finding)
        if not as_json:
            _say(finding)
    faults = [finding for finding in found if finding.state == "fault"]
    if as_json:
        document = {
            "environment": settings.environment,
            "is_good": not faults,
            "checks": [asdict(finding) for finding in found],
        }
        click.echo(json.dumps(document, indent=1))
    else:
        said = f"{len(faults)} to mend, from the top" if faults else "All is well"
        click.echo(f"{said}: {settings.environment}, {len(found)} checks.")
    if faults:
        sys.exit(FAILED)


def _deployment(settings: Settings) -> "Deployment":
    """With the settings of a run, as `definitions.run_settings`; loading that module needs a dbt
    manifest, which may be what is wrong."""
    from veracitypro_pipeline.doctor.deployment import Deployment

    if settings.environment != "local":
        from veracitypro_pipeline.resources.run_settings import RunSettings

        return Deployment(RunSettings())
    from veracitypro_pipeline.doctor.check import Fault
    from veracitypro_pipeline.local.stack.lifecycle import StackError, products_in_play
    from veracitypro_pipeline.local.stack.run_settings import StackRunSettings, started_stack

    stack = started_stack(settings, say)

    def tracked() -> Mapping[int, Sequence[str]]:
        try:
            return products_in_play(stack)
        except StackError as error:
            raise Fault(str(error)) from error

    return Deployment(StackRunSettings(), tracked)


def _say(finding: "Finding") -> None:
    mark = click.style(f"{finding.state:5}", fg=_COLOURS[finding.state])
    fix = f". Fix: {finding.fix}" if finding.fix else ""
    said = shown(f"{finding.name}: {finding.said.rstrip('.')}{fix}")
    click.echo(f"{mark}  {said}")

"""dagster-dbt's reading of a dbt process, which can be given up.

Imported only when a build runs, because dagster-dbt costs seconds to import.
"""

import json
from collections.abc import Iterator
from typing import Any

from dagster_dbt.core.dbt_cli_invocation import DbtCliInvocation

from veracitypro_pipeline.runs.summary import DBT_RUN_ID


class Invocation(DbtCliInvocation):
    """An invocation that leaves dbt to whoever started it: `DbtProcess.end` stops it.

    The library's (0.29.27) generator of lines takes its own end for a line that is no JSON and goes
    on, of which Python complains wherever it happens to collect the generator. And interrupted, it
    waits for a dbt whose output it no longer reads.
    """

    def _stream_stdout(self) -> Iterator[str | dict[str, Any]]:
        output = self.process.stdout
        # The library asks again when all has been read.
        if output is None or output.closed:
            return
        for line in output:
            yield self._event_in(line.decode().strip())
        output.close()

    def _event_in(self, line: str) -> str | dict[str, Any]:
        """An event of this run's dbt; any other line as it is."""
        try:
            event: dict[str, Any] = json.loads(line)
            if (
                self.context is not None
                and event["info"]["extra"][DBT_RUN_ID] != self.context.run.run_id
            ):
                return line
            if event["info"]["level"] == "error":
                self._error_messages.append(event["info"]["msg"])
        except (ValueError, LookupError, TypeError):
            return line
        return event

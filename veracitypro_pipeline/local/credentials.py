"""The credentials of the local stack: random, created once per home and kept across restarts."""

import json
import logging
import secrets
import uuid
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field

from veracitypro_pipeline.home import delete
from veracitypro_pipeline.local.private_files import DamagedFileError, read_json, write_json

log = logging.getLogger(__name__)

# Safe in URLs, in headers and in rclone's `key,secret`.
Word = Annotated[str, Field(pattern=r"^[\w-]+$")]


def _uuid() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """Ids and secrets of every stand-in; secrets do not appear in the repr."""

    airbyte_workspace_id: Word = field(default_factory=_uuid)
    airbyte_client_id: Word = field(default_factory=_uuid)
    airbyte_client_secret: Word = field(default_factory=secrets.token_urlsafe, repr=False)
    aws_access_key_id: Word = field(default_factory=lambda: f"AKIA{secrets.token_hex(8).upper()}")
    aws_secret_access_key: Word = field(default_factory=lambda: secrets.token_hex(20), repr=False)
    slack_bot_token: Word = field(
        default_factory=lambda: f"xoxb-{secrets.token_hex(16)}", repr=False
    )
    slack_webhook_secret: Word = field(default_factory=lambda: secrets.token_hex(12), repr=False)
    powerbi_tenant_id: Word = field(default_factory=_uuid)
    powerbi_client_id: Word = field(default_factory=_uuid)
    powerbi_client_secret: Word = field(default_factory=secrets.token_urlsafe, repr=False)
    powerbi_workspace_id: Word = field(default_factory=_uuid)
    powerbi_dataset_id: Word = field(default_factory=_uuid)
    keepa_api_key: Word = field(default_factory=lambda: secrets.token_hex(32), repr=False)
    control_token: Word = field(default_factory=secrets.token_urlsafe, repr=False)

    def airbyte_id(self, kind: str, source: str) -> str:
        """The id of a source's `connection`, `source` or `destination` in the local Airbyte."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.airbyte_workspace_id}/{kind}/{source}"))

    @classmethod
    def load_or_make(cls, path: Path) -> Self:
        """Load the file; create missing values and write them to it.

        A damaged file is replaced: no stored state of the stack depends on the credentials.
        """
        try:
            kept = read_json(path, cls)
        except DamagedFileError as damage:
            log.warning("The credentials of the local stack are created again: %s", damage)
            delete(path)
            kept = None
        credentials = kept or cls()
        made = asdict(credentials).items()
        if kept is None or not made <= json.loads(path.read_bytes()).items():
            write_json(path, asdict(credentials))
        return credentials

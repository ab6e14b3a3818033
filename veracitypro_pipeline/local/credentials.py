"""The sign-ins of the local stack: random, made once per home, kept so that a restart changes none.

Not here: which service asks for which of them.
"""

import secrets
import uuid
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from veracitypro_pipeline.local.private_files import read_json, write_json


def _uuid() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """Ids and secrets of every stand-in; secrets do not appear in the repr."""

    airbyte_workspace_id: str = field(default_factory=_uuid)
    airbyte_connection_id: str = field(default_factory=_uuid)
    airbyte_source_id: str = field(default_factory=_uuid)
    airbyte_destination_id: str = field(default_factory=_uuid)
    airbyte_client_id: str = field(default_factory=_uuid)
    airbyte_client_secret: str = field(default_factory=secrets.token_urlsafe, repr=False)
    aws_access_key_id: str = field(default_factory=lambda: f"AKIA{secrets.token_hex(8).upper()}")
    aws_secret_access_key: str = field(default_factory=lambda: secrets.token_hex(20), repr=False)
    slack_bot_token: str = field(
        default_factory=lambda: f"xoxb-{secrets.token_hex(16)}", repr=False
    )
    slack_webhook_secret: str = field(default_factory=lambda: secrets.token_hex(12), repr=False)
    powerbi_tenant_id: str = field(default_factory=_uuid)
    powerbi_client_id: str = field(default_factory=_uuid)
    powerbi_client_secret: str = field(default_factory=secrets.token_urlsafe, repr=False)
    powerbi_workspace_id: str = field(default_factory=_uuid)
    powerbi_dataset_id: str = field(default_factory=_uuid)
    keepa_api_key: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)
    control_token: str = field(default_factory=secrets.token_urlsafe, repr=False)

    @classmethod
    def load_or_make(cls, path: Path) -> Self:
        """Those in the file; what is missing there is made and written to it.

        Raises:
            DamagedFileError: the file is no JSON.
        """
        stored = read_json(path) or {}
        credentials = cls(**stored)
        if asdict(credentials) != stored:
            write_json(path, asdict(credentials))
        return credentials

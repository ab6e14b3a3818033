"""Stored values of stages that were overwritten in S3."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.support.settings import fixed
from veracitypro_pipeline.local.services.s3 import S3Server, start_s3
from veracitypro_pipeline.resources.s3 import S3Resource
from veracitypro_pipeline.resources.state_store import StateStore, UnreadableStateError
from veracitypro_pipeline.settings import Settings
from veracitypro_pipeline.stage_values.sync import SyncReport

KEY_ID, SECRET = "AKIATEST", "not-on-the-command-line"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    server = start_s3(tmp_path_factory.mktemp("state") / "s3", KEY_ID, SECRET)
    yield server
    server.stop()


@pytest.mark.parametrize("body", [b"\x1f\x8b\x08", b"", b"{", b'{"job_id": 1}'])
def test_an_unreadable_value_is_named_with_the_next_step(
    server: S3Server, tmp_path: Path, body: bytes
) -> None:
    settings = Settings.load(home=tmp_path).model_copy(
        update={
            "aws_endpoint_url_s3": server.url,
            "aws_access_key_id": KEY_ID,
            "aws_secret_access_key": SecretStr(SECRET),
        }
    )
    s3 = S3Resource(settings=fixed(settings))
    store = StateStore(settings=fixed(settings), s3=s3)
    assert store.read("a/day", SyncReport) is None
    key = store._key("a/other")
    s3.client().put_object(Bucket=settings.monitoring_bucket, Key=key, Body=body)
    with pytest.raises(
        UnreadableStateError, match=f"{key} is not a valid SyncReport .*: restore an older"
    ):
        store.read("a/other", SyncReport)

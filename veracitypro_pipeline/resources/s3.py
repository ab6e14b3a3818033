"""S3 as a Dagster resource, on the client of dagster-aws."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import dagster as dg

from veracitypro_pipeline import full_disk
from veracitypro_pipeline.failures import PermanentFailure, TransientFailure
from veracitypro_pipeline.resources.http import TRANSIENT_STATUSES
from veracitypro_pipeline.resources.run_settings import RunSettings
from veracitypro_pipeline.settings import proxy_hint

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

MAX_ATTEMPTS: Final = 4
START_BYTES: Final = 1_024
_MISSING: Final = frozenset({"NoSuchKey", "404", "NotFound"})


class StoredObject(NamedTuple):
    """One entry of a bucket listing. `etag` has no quotes; `modified_at` is in UTC."""

    key: str
    etag: str
    size_bytes: int
    modified_at: datetime


class S3Resource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The landing and monitoring buckets of the environment."""

    settings: dg.ResourceDependency[RunSettings]

    def client(self) -> Any:
        """A boto3 S3 client for the settings' endpoint and credentials, cached by both."""
        settings = self.settings.get()
        secret, token = settings.aws_secret_access_key, settings.aws_session_token
        return _client(
            region_name=settings.aws_region,
            endpoint_url=settings.aws_endpoint_url_s3,
            aws_access_key_id=settings.aws_access_key_id,
            aws_secret_access_key=secret.get_secret_value() if secret else None,
            aws_session_token=token.get_secret_value() if token else None,
        )

    def list_objects(self, bucket: str, prefix: str) -> Iterator[StoredObject]:
        """Every object under a prefix, ordered by key."""
        with self._translated_errors(f"list s3://{bucket}/{prefix}"):
            pages = (
                self.client()
                .get_paginator("list_objects_v2")
                .paginate(Bucket=bucket, Prefix=prefix)
            )
            for page in pages:
                for entry in page.get("Contents", []):
                    yield StoredObject(
                        entry["Key"], entry["ETag"].strip('"'), entry["Size"], entry["LastModified"]
                    )

    def read_start(self, bucket: str, key: str) -> bytes:
        """The first `START_BYTES` of an object, which show that it can be read and decrypted."""
        with self._translated_errors(f"read s3://{bucket}/{key}"):
            body = self.client().get_object(Bucket=bucket, Key=key)["Body"]
            with closing(body):
                start: bytes = body.read(START_BYTES)
        return start

    def download(self, bucket: str, key: str, target: Path) -> str:
        """Download an object to a local file and return the etag of the version read."""
        with self._translated_errors(f"read s3://{bucket}/{key}"):
            answer = self.client().get_object(Bucket=bucket, Key=key)
            with target.open("wb") as file:
                for chunk in answer["Body"].iter_chunks(1 << 20):
                    file.write(chunk)
        return str(answer["ETag"]).strip('"')

    def etag(self, bucket: str, key: str) -> str | None:
        """The current etag of an object, or None if there is no such object."""
        from botocore.exceptions import ClientError

        with self._translated_errors(f"look at s3://{bucket}/{key}"):
            try:
                answer = self.client().head_object(Bucket=bucket, Key=key)
            except ClientError as error:
                if _code(error) in _MISSING:
                    return None
                raise
        return str(answer["ETag"]).strip('"')

    def read_text(self, bucket: str, key: str) -> str | None:
        """The text of a small object, or None if there is no such object."""
        from botocore.exceptions import ClientError

        with self._translated_errors(f"read s3://{bucket}/{key}"):
            try:
                body: bytes = self.client().get_object(Bucket=bucket, Key=key)["Body"].read()
            except ClientError as error:
                if _code(error) in _MISSING:
                    return None
                raise
        # Bytes that are not UTF-8 fail later, as JSON, with an error that names the object.
        return body.decode(errors="replace")

    def write_text(self, bucket: str, key: str, text: str) -> None:
        """Write a small object, replacing an older version."""
        with self._translated_errors(f"write s3://{bucket}/{key}"):
            self.client().put_object(
                Bucket=bucket, Key=key, Body=text.encode(), ContentType="application/json"
            )

    @property
    def _address(self) -> str:
        settings = self.settings.get()
        amazon = f"https://s3.{settings.aws_region}.amazonaws.com"
        return settings.aws_endpoint_url_s3 or amazon

    @contextmanager
    def _translated_errors(self, action: str) -> Iterator[None]:
        """Turn errors of boto3 into failures that name the action.

        Raises:
            TransientFailure: S3 did not answer, or with 408, 429 or 5xx.
            PermanentFailure: every other error.
        """
        from botocore.exceptions import BotoCoreError, ClientError, ProfileNotFound

        try:
            yield
        except ClientError as error:
            message = str(error.response.get("Error", {}).get("Message", ""))
            if (full := full_disk.message_in(message)) is not None:
                # Only the local S3 says this: it is a folder of this machine.
                raise PermanentFailure(full) from error
            status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500))
            if status in TRANSIENT_STATUSES:
                raise TransientFailure(f"S3 could not {action}: {_code(error)}.") from error
            raise PermanentFailure(
                f"S3 refused to {action}: {_code(error)}; check the bucket, AWS_ACCESS_KEY_ID and"
                " its policy."
            ) from error
        except ProfileNotFound as error:
            raise PermanentFailure(f"S3 cannot be asked: {error}; correct AWS_PROFILE.") from error
        except BotoCoreError as error:
            raise TransientFailure(
                f"S3 did not answer when asked to {action} ({type(error).__name__})."
                f"{proxy_hint(self._address)}"
            ) from error
        except (AttributeError, TypeError) as error:
            # boto3 1.43 parses an error response with a checksum as if it were the object
            # (boto/boto3#4754, #4765). Some S3 servers send one while an object is being deleted.
            if "StreamingChecksumBody" not in str(error):
                raise
            raise TransientFailure(
                f"S3 could not {action}: it sent an error in a form that boto3 cannot read."
            ) from error


@lru_cache(maxsize=4)
def _client(**connection: Any) -> Any:
    """Cached, because boto3 takes half a second to create one. Threads can share it."""
    from dagster_aws.s3 import S3Resource as DagsterS3Resource

    return DagsterS3Resource(**connection, max_attempts=MAX_ATTEMPTS).get_client()


def _code(error: "ClientError") -> str:
    return str(error.response.get("Error", {}).get("Code", "unknown"))

"""The local S3, called by boto3: objects are read as they were put, strangers are rejected."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from veracitypro_pipeline.local.services.s3 import (
    BUCKETS,
    S3Server,
    s3_client,
    start_s3,
)
from veracitypro_pipeline.local.stack import processes

KEY_ID, SECRET = "AKIATEST", "not-on-the-command-line"
BUCKET = BUCKETS[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stack") / "s3"


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[S3Server]:
    server = start_s3(folder, KEY_ID, SECRET)
    yield server
    server.stop()


@pytest.fixture
def s3(server: S3Server) -> Any:
    return s3_client(server.url, KEY_ID, SECRET)


def test_the_buckets_are_there_from_the_start(s3: Any) -> None:
    names = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}

    assert names == set(BUCKETS)


def test_an_object_comes_back_as_it_was_put(s3: Any, folder: Path) -> None:
    source = folder.parent / "part"
    source.write_bytes(bytes(range(256)) * 4000)
    with source.open("rb") as body:
        put = s3.put_object(Bucket=BUCKET, Key="env=local/a.jsonl.gz", Body=body)

    got = s3.get_object(Bucket=BUCKET, Key="env=local/a.jsonl.gz")

    assert got["Body"].read() == source.read_bytes()
    assert got["ETag"] == put["ETag"]


def test_a_listing_has_every_object_under_the_prefix_over_several_pages(s3: Any) -> None:
    keys = [f"listed/2025_11_21_{part}.jsonl.gz" for part in range(5)]
    for key in (*keys, "other/x"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")

    pages = list(
        s3.get_paginator("list_objects_v2").paginate(
            Bucket=BUCKET, Prefix="listed/", PaginationConfig={"PageSize": 2}
        )
    )

    assert len(pages) == 3
    assert [entry["Key"] for page in pages for entry in page["Contents"]] == keys


def test_a_missing_object_is_named_as_s3_names_it(s3: Any) -> None:
    with pytest.raises(ClientError) as refusal:
        s3.get_object(Bucket=BUCKET, Key="nothing")

    assert refusal.value.response["Error"]["Code"] == "NoSuchKey"


@pytest.mark.parametrize(
    ("key_id", "secret", "code"),
    [("AKIAOTHER", SECRET, "InvalidAccessKeyId"), (KEY_ID, "wrong", "SignatureDoesNotMatch")],
)
def test_a_wrong_sign_in_is_rejected(server: S3Server, key_id: str, secret: str, code: str) -> None:
    with pytest.raises(ClientError) as refusal:
        s3_client(server.url, key_id, secret).list_objects_v2(Bucket=BUCKET)

    assert refusal.value.response["Error"]["Code"] == code


def test_the_secret_is_not_in_the_process_list(server: S3Server, folder: Path) -> None:
    (pid,) = processes.find(processes.rclone(folder.parent))
    listing = subprocess.run(
        ["ps", "-ww", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=True
    )

    assert "serve s3" in listing.stdout
    assert SECRET not in listing.stdout

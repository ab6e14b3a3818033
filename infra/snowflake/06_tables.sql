-- The ledger of the loads of all sources. The same columns as in veracitypro_pipeline/raw/on_duckdb.py,
-- which tests compare. Instants are UTC without a zone.
use role SYSADMIN;

create table if not exists ${database}.MONITORING.LOAD_LEDGER (
    source_file varchar not null comment 'Key of the landing file in the bucket',
    etag varchar not null comment 'Version of the file that was loaded',
    as_of_date date not null comment 'The last UTC day that was over when the sync began',
    size_bytes number(38, 0) not null comment 'Compressed size in S3',
    lines number(38, 0) not null comment 'Lines that the manifest counted',
    loaded number(38, 0) not null comment 'Rows with a payload',
    quarantined number(38, 0) not null comment 'Rows without',
    load_id varchar not null comment 'The run that loaded the file',
    loaded_at timestamp_ntz not null comment 'When the file was loaded (UTC)',
    constraint load_ledger_pk primary key (source_file)
) comment = 'One row per file that RAW holds, with the version it came from';

-- Added to a table that is there, because accounts have it without; null for files loaded before.
alter table ${database}.MONITORING.LOAD_LEDGER add column if not exists
    arrived_at timestamp_ntz comment 'When S3 got this version of the file (UTC)';

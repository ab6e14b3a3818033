-- What happened in each run, for people and the pages of `vp dashboard`. The same columns as in
-- veracitypro_pipeline/monitoring/tables.py, which tests compare. Instants are UTC without a zone.
use role SYSADMIN;

create table if not exists ${database}.MONITORING.PIPELINE_RUN_MONITORING (
    run_id varchar not null,
    job varchar not null,
    as_of_date date,
    status varchar not null,
    started_at timestamp_ntz not null,
    ended_at timestamp_ntz,
    seconds float,
    airbyte_job_id number(38, 0),
    records number(38, 0),
    size_bytes number(38, 0),
    files number(38, 0),
    rows_refused number(38, 0),
    tokens_spent number(38, 0),
    tests_passed number(38, 0),
    tests_warned number(38, 0),
    tests_failed number(38, 0),
    failed_step varchar,
    failure varchar,
    recorded_at timestamp_ntz not null,
    ingest_rows_in number(38, 0),
    ingest_rows_out number(38, 0),
    ingest_rows_refused number(38, 0),
    ingest_seconds float,
    landing_rows_in number(38, 0),
    landing_rows_out number(38, 0),
    landing_rows_refused number(38, 0),
    landing_seconds float,
    raw_rows_in number(38, 0),
    raw_rows_out number(38, 0),
    raw_rows_refused number(38, 0),
    raw_seconds float,
    stg_rows_in number(38, 0),
    stg_rows_out number(38, 0),
    stg_rows_refused number(38, 0),
    stg_seconds float,
    core_rows_in number(38, 0),
    core_rows_out number(38, 0),
    core_rows_refused number(38, 0),
    core_seconds float,
    mart_rows_in number(38, 0),
    mart_rows_out number(38, 0),
    mart_rows_refused number(38, 0),
    mart_seconds float,
    bi_rows_in number(38, 0),
    bi_rows_out number(38, 0),
    bi_rows_refused number(38, 0),
    bi_seconds float
);

create table if not exists ${database}.MONITORING.PIPELINE_RUN_CHECK (
    run_id varchar not null,
    asset varchar not null,
    check_name varchar not null,
    stage varchar not null,
    severity varchar not null,
    passed boolean not null,
    rows_failing number(38, 0),
    description varchar
);

create table if not exists ${database}.MONITORING.TEST_FAILURE_ROW (
    run_id varchar not null,
    as_of_date date,
    check_name varchar not null,
    row_number number(38, 0) not null,
    failing_row varchar not null
);

create view if not exists ${database}.MONITORING.PIPELINE_RUN_STAGE as
select run_id, as_of_date, started_at, 1 as stage_number, 'ingest' as stage, ingest_rows_in as rows_in, ingest_rows_out as rows_out, ingest_rows_refused as rows_refused, ingest_seconds as seconds
from ${database}.MONITORING.PIPELINE_RUN_MONITORING
union all
select run_id, as_of_date, started_at, 2 as stage_number, 'landing' as stage, landing_rows_in as rows_in, landing_rows_out as rows_out, landing_rows_refused as rows_refused, landing_seconds as seconds
from ${database}.MONITORING.PIPELINE_RUN_MONITORING
union all
select run_id, as_of_date, started_at, 3 as stage_number, 'raw' as stage, raw_rows_in as rows_in, raw_rows_out as rows_out, raw_rows_refused as rows_refused, raw_seconds as seconds
from ${database}.MONITORING.PIPELINE_RUN_MONITORING
union all
select run_id, as_of_date, started_at, 4 as stage_number, 'stg' as stage, stg_rows_in as rows_in, stg_rows_out as rows_out, stg_rows_refused as rows_refused, stg_seconds as seconds
from ${database}.MONITORING.PIPELINE_RUN_MONITORING
union all
select run_id, as_of_date, started_at, 5 as stage_number, 'core' as stage, core_rows_in as rows_in, core_rows_out as rows_out, core_rows_refused as rows_refused, core_seconds as seconds
from ${database}.MONITORING.PIPELINE_RUN_MONITORING
union all
select run_id, as_of_date, started_at, 6 as stage_number, 'mart' as stage, mart_rows_in as rows_in, mart_rows_out as rows_out, mart_rows_refused as rows_refused, mart_seconds as seconds
from ${database}.MONITORING.PIPELINE_RUN_MONITORING
union all
select run_id, as_of_date, started_at, 7 as stage_number, 'bi' as stage, bi_rows_in as rows_in, bi_rows_out as rows_out, bi_rows_refused as rows_refused, bi_seconds as seconds
from ${database}.MONITORING.PIPELINE_RUN_MONITORING;

-- Who there is. A role per job; people and services are granted one, never a privilege of their own.
use role USERADMIN;

-- Airbyte writes to S3 and has nothing to do here. The name is kept for the day when it has.
create role if not exists AIRBYTE_ROLE comment = 'Airbyte: writes to S3 only, holds no grant';
create role if not exists DAGSTER_ROLE comment = 'The pipeline: loads RAW, counts everywhere';
create role if not exists DBT_ROLE comment = 'dbt: reads RAW, owns STG, CORE and MART';
create role if not exists ANALYST_ROLE comment = 'Reports and people: read MART';
create role if not exists OPERATOR_ROLE comment = 'People on call: read everything, write nothing';
create role if not exists DASHBOARD_ROLE comment = 'The app in Snowflake: reads what its pages show';
create role if not exists DS comment = 'Data science: reads STG, CORE and MART, owns ML';

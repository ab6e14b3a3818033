-- Who may do what. Before any table is there, so that grants on future tables cover every one.
use role SECURITYADMIN;

-- Whoever administers objects administers those of these roles, too.
grant role AIRBYTE_ROLE to role SYSADMIN;
grant role DAGSTER_ROLE to role SYSADMIN;
grant role DBT_ROLE to role SYSADMIN;
grant role ANALYST_ROLE to role SYSADMIN;
grant role OPERATOR_ROLE to role SYSADMIN;
grant role DASHBOARD_ROLE to role SYSADMIN;
grant role DS to role SYSADMIN;

-- The pipeline: replaces the lines of a file, and counts what dbt made of them.
grant usage on warehouse WH_INGEST to role DAGSTER_ROLE;
grant usage on database ${database} to role DAGSTER_ROLE;
grant usage on schema ${database}.RAW to role DAGSTER_ROLE;
grant usage on schema ${database}.MONITORING to role DAGSTER_ROLE;
grant usage on schema ${database}.STG to role DAGSTER_ROLE;
grant usage on schema ${database}.CORE to role DAGSTER_ROLE;
grant usage on schema ${database}.MART to role DAGSTER_ROLE;
grant select, insert, delete on future tables in schema ${database}.RAW to role DAGSTER_ROLE;
grant select, insert, delete on future tables in schema ${database}.MONITORING
    to role DAGSTER_ROLE;
grant select on future views in schema ${database}.MONITORING to role DAGSTER_ROLE;
grant select on future tables in schema ${database}.STG to role DAGSTER_ROLE;
grant select on future views in schema ${database}.STG to role DAGSTER_ROLE;
grant select on future tables in schema ${database}.CORE to role DAGSTER_ROLE;
grant select on future views in schema ${database}.CORE to role DAGSTER_ROLE;
grant select on future tables in schema ${database}.MART to role DAGSTER_ROLE;
grant select on future views in schema ${database}.MART to role DAGSTER_ROLE;

-- dbt: reads RAW, makes the rest, and keeps in MONITORING what a build has found to do.
grant usage on warehouse WH_INGEST to role DBT_ROLE;
grant usage on database ${database} to role DBT_ROLE;
grant usage on schema ${database}.RAW to role DBT_ROLE;
grant select on future tables in schema ${database}.RAW to role DBT_ROLE;
grant usage, create table, create view on schema ${database}.STG to role DBT_ROLE;
grant usage, create table, create view on schema ${database}.CORE to role DBT_ROLE;
grant usage, create table, create view on schema ${database}.MART to role DBT_ROLE;
grant usage, create table, create view on schema ${database}.MONITORING to role DBT_ROLE;

-- Reports and people.
grant usage on warehouse WH_BI to role ANALYST_ROLE;
grant usage on database ${database} to role ANALYST_ROLE;
grant usage on schema ${database}.MART to role ANALYST_ROLE;
grant select on future tables in schema ${database}.MART to role ANALYST_ROLE;
grant select on future views in schema ${database}.MART to role ANALYST_ROLE;

-- People on call: read all that a runbook asks about, and write nothing. They get no stage, because with
-- its usage they could unload into it.
grant usage on warehouse WH_BI to role OPERATOR_ROLE;
grant usage on database ${database} to role OPERATOR_ROLE;
grant usage on schema ${database}.RAW to role OPERATOR_ROLE;
grant usage on schema ${database}.STG to role OPERATOR_ROLE;
grant usage on schema ${database}.CORE to role OPERATOR_ROLE;
grant usage on schema ${database}.MART to role OPERATOR_ROLE;
grant usage on schema ${database}.MONITORING to role OPERATOR_ROLE;
grant select on future tables in schema ${database}.RAW to role OPERATOR_ROLE;
grant select on future views in schema ${database}.RAW to role OPERATOR_ROLE;
grant select on future tables in schema ${database}.STG to role OPERATOR_ROLE;
grant select on future views in schema ${database}.STG to role OPERATOR_ROLE;
grant select on future tables in schema ${database}.CORE to role OPERATOR_ROLE;
grant select on future views in schema ${database}.CORE to role OPERATOR_ROLE;
grant select on future tables in schema ${database}.MART to role OPERATOR_ROLE;
grant select on future views in schema ${database}.MART to role OPERATOR_ROLE;
grant select on future tables in schema ${database}.MONITORING to role OPERATOR_ROLE;
grant select on future views in schema ${database}.MONITORING to role OPERATOR_ROLE;

-- The app of infra/streamlit, which runs with the rights of its owner: how runs went, what was
-- refused, and MART.
grant usage on warehouse WH_BI to role DASHBOARD_ROLE;
grant usage on database ${database} to role DASHBOARD_ROLE;
grant usage on schema ${database}.MONITORING to role DASHBOARD_ROLE;
grant usage on schema ${database}.STG to role DASHBOARD_ROLE;
grant usage on schema ${database}.MART to role DASHBOARD_ROLE;
grant select on future tables in schema ${database}.MONITORING to role DASHBOARD_ROLE;
grant select on future views in schema ${database}.MONITORING to role DASHBOARD_ROLE;
grant select on future tables in schema ${database}.STG to role DASHBOARD_ROLE;
grant select on future views in schema ${database}.STG to role DASHBOARD_ROLE;
grant select on future tables in schema ${database}.MART to role DASHBOARD_ROLE;
grant select on future views in schema ${database}.MART to role DASHBOARD_ROLE;

-- Data science.
grant usage on warehouse WH_BI to role DS;
grant usage on database ${database} to role DS;
grant usage on schema ${database}.STG to role DS;
grant usage on schema ${database}.CORE to role DS;
grant usage on schema ${database}.MART to role DS;
grant select on future tables in schema ${database}.STG to role DS;
grant select on future views in schema ${database}.STG to role DS;
grant select on future tables in schema ${database}.CORE to role DS;
grant select on future views in schema ${database}.CORE to role DS;
grant select on future tables in schema ${database}.MART to role DS;
grant select on future views in schema ${database}.MART to role DS;
grant usage, create table, create view on schema ${database}.ML to role DS;

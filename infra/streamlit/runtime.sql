-- What the app runs on, and what its owner may beside reading (infra/snowflake/04_grants.sql): once, by
-- an administrator. Not part of `vp infra apply`, because a node costs while the app is awake, and
-- because not every account may reach PyPI. The Snowflake CLI fills in the database, which README.md names.
use role ACCOUNTADMIN;
use database <% database %>;

-- One node of the smallest kind, which sleeps five minutes after the app does.
create compute pool if not exists VP_DASHBOARD
    min_nodes = 1
    max_nodes = 1
    instance_family = CPU_X64_XS
    auto_resume = true
    initially_suspended = true
    auto_suspend_secs = 300
    comment = 'The app of infra/streamlit';

-- Where the packages of requirements.txt come from; the rule is Snowflake's own.
create external access integration if not exists VP_PYPI
    allowed_network_rules = (SNOWFLAKE.EXTERNAL_ACCESS.PYPI_RULE)
    enabled = true
    comment = 'PyPI, for the app of infra/streamlit';

grant usage on compute pool VP_DASHBOARD to role DASHBOARD_ROLE;
grant usage on integration VP_PYPI to role DASHBOARD_ROLE;
grant create streamlit on schema MART to role DASHBOARD_ROLE;

-- Grants on future tables leave out those that were there before the role was.
grant select on all tables in schema MONITORING to role DASHBOARD_ROLE;
grant select on all views in schema MONITORING to role DASHBOARD_ROLE;
grant select on all tables in schema STG to role DASHBOARD_ROLE;
grant select on all views in schema STG to role DASHBOARD_ROLE;
grant select on all tables in schema MART to role DASHBOARD_ROLE;
grant select on all views in schema MART to role DASHBOARD_ROLE;

-- What may be spent. A warehouse sleeps after a minute; a statement that runs away is ended; at the
-- month's quota everything stops, because a stopped report is cheaper than a surprise. A monitor tells
-- only administrators who switched its notifications on, and the users that README.md adds to it.
use role ACCOUNTADMIN;

create resource monitor if not exists VP_MONTHLY with
    credit_quota = ${credit_quota}
    frequency = monthly
    start_timestamp = immediately
    triggers
        on 75 percent do notify
        on 95 percent do suspend
        on 100 percent do suspend_immediate;

create warehouse if not exists WH_INGEST with
    warehouse_size = 'XSMALL'
    auto_suspend = 60
    auto_resume = true
    initially_suspended = true
    resource_monitor = VP_MONTHLY
    statement_timeout_in_seconds = 3600
    statement_queued_timeout_in_seconds = 600
    comment = 'Loads and dbt';

create warehouse if not exists WH_BI with
    warehouse_size = 'XSMALL'
    auto_suspend = 60
    auto_resume = true
    initially_suspended = true
    resource_monitor = VP_MONTHLY
    statement_timeout_in_seconds = 600
    statement_queued_timeout_in_seconds = 300
    comment = 'Reports and people';

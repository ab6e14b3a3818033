-- How landing files are read. The integration reaches the landing files of every source, because it is
-- never replaced: a new one has another external id, and the trust that the AWS role puts into the old
-- one would be lost. Each source has a stage of its own (sources/).
use role ACCOUNTADMIN;

create storage integration if not exists VP_S3_INT
    type = external_stage
    storage_provider = 'S3'
    enabled = true
    storage_aws_role_arn = '${storage_role_arn}'
    storage_allowed_locations = ('s3://${raw_bucket}/env=${environment}/');

grant usage on integration VP_S3_INT to role SYSADMIN;

use role SYSADMIN;

-- For a look at staged lines by hand; the load states the same in its COPY.
create file format if not exists ${database}.RAW.LINES_AS_TEXT
    type = csv
    compression = gzip
    record_delimiter = '\n'
    field_delimiter = none
    skip_blank_lines = false
    field_optionally_enclosed_by = none
    escape = none
    escape_unenclosed_field = none
    trim_space = false
    null_if = ()
    empty_field_as_null = false
    replace_invalid_characters = true
    encoding = 'UTF8';

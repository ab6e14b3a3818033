-- Keepa's stage and table. The table has the columns of veracitypro_pipeline/raw/on_duckdb.py, which tests
-- compare. Instants are UTC without a zone.
use role SYSADMIN;

create stage if not exists ${database}.RAW.STAGE_KEEPA
    url = 's3://${raw_bucket}/env=${environment}/source=keepa/stream=product_raw/'
    storage_integration = VP_S3_INT
    comment = 'What Airbyte lands of Keepa, env=${environment}';

create table if not exists ${database}.RAW.KEEPA_RAW (
    payload variant comment 'The product object as Keepa sent it, null if the line is no JSON object',
    raw_line varchar comment 'The text of a line that is no JSON object, else null',
    _airbyte_raw_id varchar comment 'Id that Airbyte gave the record',
    _airbyte_extracted_at timestamp_ntz comment 'When Airbyte read the record from Keepa (UTC)',
    as_of_date date not null comment 'The last UTC day that was over when the sync began',
    source_file varchar not null comment 'Key of the landing file in the bucket',
    file_row_number number(38, 0) not null comment 'Line of the file, from 1',
    load_id varchar not null comment 'The run that loaded the file',
    loaded_at timestamp_ntz not null comment 'When the file was loaded (UTC)'
) comment = 'One row per line of a landing file, immutable in content';

use role SECURITYADMIN;

grant usage on stage ${database}.RAW.STAGE_KEEPA to role DAGSTER_ROLE;

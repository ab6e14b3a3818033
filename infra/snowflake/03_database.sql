-- Where things are. An environment is an account of its own, so that these names are the same in all.
use role SYSADMIN;

create database if not exists ${database} comment = 'Keepa data of env=${environment}';

create schema if not exists ${database}.RAW comment = 'Landing lines as they came';
create schema if not exists ${database}.STG comment = 'Typed records and points, no business rule';
create schema if not exists ${database}.CORE comment = 'Business rules, one row per stated grain';
create schema if not exists ${database}.MART comment = 'What reports read';
create schema if not exists ${database}.ML comment = 'What data science makes';
create schema if not exists ${database}.MONITORING comment = 'Load ledger, stored test failures';

"""dbt: its command line, its process and what runs read of its output."""

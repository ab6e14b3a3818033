"""A source -> S3 through Airbyte: the sync of one as-of day."""

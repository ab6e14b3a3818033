"""What truly arrived in S3 for one as-of day."""

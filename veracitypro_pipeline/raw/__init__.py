"""S3 -> RAW: the load of one as-of day into the warehouse."""

"""A run, from its events in the Dagster instance to what is kept and shown of it."""

"""Airbyte: the Dagster resource and its client."""

"""Airbyte: the resource of runs, and its client."""

"""A stand-in for Airbyte that runs the real connector manifests."""

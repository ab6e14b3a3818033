"""Stand-ins for the services that the pipeline calls, the same for every source."""

"""Stand-ins for the services that the pipeline talks to, the same for every source."""

"""Stand-ins for the APIs of the sources."""

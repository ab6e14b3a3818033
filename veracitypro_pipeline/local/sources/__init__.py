"""Stand-ins for what the sources read from."""

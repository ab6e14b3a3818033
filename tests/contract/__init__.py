"""Each client against its stand-in, and each stand-in against the service that it imitates."""

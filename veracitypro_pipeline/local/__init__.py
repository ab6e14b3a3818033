"""The local stack: stand-ins on loopback that speak the protocols of the real services."""

"""A stand-in for Keepa: an invented catalogue, or payload files, behind its API."""

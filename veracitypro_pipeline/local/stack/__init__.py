"""The local stack: its background process, and the settings that point a run to it."""

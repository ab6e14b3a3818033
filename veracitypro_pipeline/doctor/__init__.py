"""Is this deployment set up? A checklist of executable probes, each with its fix."""

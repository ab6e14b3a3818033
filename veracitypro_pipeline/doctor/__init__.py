"""Is this deployment set up? A checklist in which every item can be executed, each with its fix."""

"""Slack messages about runs and missed deadlines."""

"""Who is told what: Slack messages about runs."""

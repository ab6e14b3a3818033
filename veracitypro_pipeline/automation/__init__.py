"""When things run and what came of it: jobs, schedules, reports."""

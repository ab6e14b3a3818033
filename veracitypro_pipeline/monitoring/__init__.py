"""The tables of runs: MONITORING.PIPELINE_RUN_MONITORING and those beside it."""

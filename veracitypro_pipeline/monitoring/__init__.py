"""What is kept of every run: MONITORING.PIPELINE_RUN_MONITORING and its neighbours."""

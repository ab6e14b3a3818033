"""What Dagster knows of the graph, read without running it."""

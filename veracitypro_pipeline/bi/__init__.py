"""MART -> Power BI: the refresh of the dataset that people read."""

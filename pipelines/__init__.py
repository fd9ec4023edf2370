"""Jobs that run on Ray: one job per file."""

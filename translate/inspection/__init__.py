"""Looking back at runs: reads their records and changes no output."""

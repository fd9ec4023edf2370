"""What a run leaves behind: its layout, plan, ledger, history and lease."""

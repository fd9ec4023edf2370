"""The batch job: plan, stages, ledger, executors."""

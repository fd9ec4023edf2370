"""What is well here and what is not: packages, machine, models, a store; each as a `Finding`."""

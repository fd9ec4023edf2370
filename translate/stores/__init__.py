"""Object stores: one contract, one file per URL scheme."""

"""What the service does: one function for each RPC, consumed event and timer."""

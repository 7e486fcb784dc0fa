"""What offers does: one method for each RPC, each consumed event and each timer."""

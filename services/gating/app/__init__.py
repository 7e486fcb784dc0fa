"""What gating does for each call, fact and timer: load, decide once in the domain, save."""

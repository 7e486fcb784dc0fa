"""PostgreSQL, peers and the payment provider."""

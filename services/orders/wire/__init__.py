"""Between the contract and the domain: the only place that speaks both languages."""

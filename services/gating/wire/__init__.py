"""Between the contract's messages and the domain's words; the only place that knows both."""

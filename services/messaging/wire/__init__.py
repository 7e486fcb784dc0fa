"""Between the protos and the domain of messaging: the only room that speaks both."""

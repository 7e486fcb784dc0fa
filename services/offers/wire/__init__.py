"""Between the protos and the domain of offers: the only room that speaks both."""

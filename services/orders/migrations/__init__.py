"""The schema of the orders service, revision by revision."""

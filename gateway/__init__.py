"""The HTTP side of Parley: JSON over HTTP in front of the gRPC services. No business rule, no data."""

"""Real nodes over gRPC: the server, how parts reach it, and who may ask."""

"""REST in, gRPC out: routes, JSON, problems and documentation, all read from the contract's descriptors."""

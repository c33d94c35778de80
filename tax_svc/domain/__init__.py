"""What is taxed, what the tax is, and what is kept of it. Pure: no I/O, no clock, no protobuf."""

"""What an order is and which moves it may make. Pure: no I/O, no clock, no protobuf."""

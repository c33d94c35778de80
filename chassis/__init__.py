"""How any service runs: configuration, server, channel, deadlines, errors, telemetry, storage, logs, outbound HTTP."""

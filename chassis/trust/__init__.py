"""Who is at the other end of a connection: certificates, names, and what each side demands of the other."""

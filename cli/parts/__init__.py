"""One module per part of the mesh, so that a process imports only the parts that it runs."""

"""The `ordermesh` command: runs the mesh, places and explains orders, draws traces. No business logic lives here."""

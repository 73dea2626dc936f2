"""Share: what departments may see of the catalog; read-only, and one enforcement point."""

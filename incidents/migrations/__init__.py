"""Migrations of the schema, run at every start."""

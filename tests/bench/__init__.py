"""Measurements of Barograph beside simpler programs that do part of its work, on one machine in one run."""

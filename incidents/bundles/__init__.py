"""Evidence bundles: an incident with all that it rests on in one file, gathered, checked and restored."""

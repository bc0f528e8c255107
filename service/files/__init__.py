"""Files that are made of the record: exports, bundles, reports, backups, and the process that makes the long ones."""

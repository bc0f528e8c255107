"""What the words mean: model, folds, rules, links, timeline, adapters (pure); tables, store, ingest (SQL)."""

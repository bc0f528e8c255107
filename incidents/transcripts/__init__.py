"""Transcripts: what people said elsewhere, in a chat or in a list, read into messages with times and speakers."""

"""What it looks like: figures, pages, exports. No socket, no SQL."""

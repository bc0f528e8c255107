"""Views: what a page, a figure or an export shows, gathered from the store and frozen."""

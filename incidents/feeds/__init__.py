"""Feeds: whose turn it is to be asked, what was asked, who did not answer."""

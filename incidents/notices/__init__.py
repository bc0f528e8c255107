"""Notices: what destinations outside are told of incidents, written with the decision, sent until an end."""

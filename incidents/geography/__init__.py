"""Where things are: sites, provider regions and warning zones, each place with a stated error. Pure."""

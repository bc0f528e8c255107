"""The command line, a module for each group of commands; `service.cli` puts them together."""

"""The shell: sockets, clock, files, processes, settings, command line, sign-in, scheduler."""

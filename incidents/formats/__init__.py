"""What adapters share: formats that several senders speak, and how a stranger's bytes are read. Pure."""

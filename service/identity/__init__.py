"""Who asks: accounts, passwords, tokens, sessions, the identity provider, and how often each may ask."""

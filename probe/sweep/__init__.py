"""Many ports of several targets at once, exactly: the packet engine and the connect engine."""

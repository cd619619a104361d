"""Rules that hold before a run starts: one small function per rule, each returns problems."""

"""What must hold before anything starts: one small function per rule, each returning problems."""

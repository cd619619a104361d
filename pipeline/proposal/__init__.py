"""What settings and schema `fareline init` proposes for a table that was looked at."""

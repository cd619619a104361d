"""Files for orchestrators, which only start `fareline step`."""

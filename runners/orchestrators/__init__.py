"""Files for orchestrators, which start `fareline step` and need no more of ours."""

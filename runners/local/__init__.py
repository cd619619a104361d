"""`fareline run`: the pipeline in this process."""

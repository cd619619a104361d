"""Details of an artifact, an execution, a run or a pipeline."""

"""What is this: an artifact, an execution, a run or a pipeline, decoded?"""

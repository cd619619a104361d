"""Measures and verdicts: the configuration of TFMA, the measuring in batches, the judgement."""

"""Review of the contract: comparison with data, proposals, acceptance, history."""

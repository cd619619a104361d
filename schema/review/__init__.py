"""The contract under review: what data says of it, proposals, acceptance, history."""

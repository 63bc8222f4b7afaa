"""Pictures of the graph behind a tensor."""

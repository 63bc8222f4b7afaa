"""The pages of the documentation, and the programs that generate some of them."""

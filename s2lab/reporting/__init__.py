"""Reports: blocks, charts and tables, and the run folders they are made from."""

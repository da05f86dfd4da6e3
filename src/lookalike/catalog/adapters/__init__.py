"""One file a source: each turns a folder or a file into `Row`s, one picture of one product each."""

"""Where the published vectors come from: one module for each file, all over one fixed world of keys, parties and times."""

"""Programs in, training shards out: generate, record, filter, deduplicate, split, write."""

"""What every layer needs and none owns: errors, strict configuration, seeds, atomic files. Standard library only."""

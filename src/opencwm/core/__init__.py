"""What every layer needs: errors, strict configuration, seeds, atomic files. Standard library only."""

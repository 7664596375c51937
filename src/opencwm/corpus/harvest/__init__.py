"""Real functions as programs: watch a package's own tests, cut out what ran, check that it runs alone."""

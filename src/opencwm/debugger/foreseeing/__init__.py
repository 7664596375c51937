"""What follows from a program and from what a run has shown so far, so that the model need not be asked.

Begin with :mod:`.foresight`, which follows a run step by step, :mod:`.workings`, what is known of a program,
and :mod:`.line_follower`, which follows one line; a module for each kind of thing that can be worked out
stands beside them (docs/expression_detail.md has a table). Nothing here runs code of the program, and nothing
knows of models.
"""

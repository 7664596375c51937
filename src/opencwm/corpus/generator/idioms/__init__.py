"""Algorithms that people write over and over, as templates with holes, see :mod:`..templates`."""

from opencwm.corpus.generator.idioms.arithmetic import NUMBER_IDIOMS
from opencwm.corpus.generator.idioms.containers import COLLECTION_IDIOMS
from opencwm.corpus.generator.idioms.control import CONTROL_IDIOMS
from opencwm.corpus.generator.idioms.objects import OBJECT_IDIOMS
from opencwm.corpus.generator.idioms.texts import TEXT_IDIOMS

IDIOMS = (*TEXT_IDIOMS, *NUMBER_IDIOMS, *COLLECTION_IDIOMS, *CONTROL_IDIOMS, *OBJECT_IDIOMS)

__all__ = ["IDIOMS"]

"""Make the vocabulary in the package: ``python -m opencwm.train.vocabulary``.

Half of the texts are the standard library's modules, half are generated programs, so that names of both
kinds get pieces. The result depends on the Python that runs it; the file in the package is the reference.
"""

from __future__ import annotations

import sysconfig
import tokenize
from collections.abc import Iterator
from pathlib import Path

from opencwm.codec import vocabulary
from opencwm.core.files import write_atomic
from opencwm.core.seeds import derive_rng
from opencwm.corpus.generator import generate_program, sample_config

SIZE = 1000
NUM_PROGRAMS = 1500


def texts() -> Iterator[str]:
    """Yield the texts whose words compete."""
    folder = Path(sysconfig.get_path("stdlib"))
    for path in sorted(folder.glob("*.py")):
        with tokenize.open(path) as file:
            names = {
                token.string
                for token in tokenize.generate_tokens(file.readline)
                if token.type == tokenize.NAME
            }
        yield "\n".join(sorted(names))  # without comments and docstrings, whose words are no code
    rng = derive_rng("vocabulary")
    yield from (generate_program(rng, sample_config(rng)).text for _ in range(NUM_PROGRAMS))


def main() -> None:
    """Write the vocabulary file of the package."""
    made = vocabulary.build_vocabulary(texts(), size=SIZE)
    path = Path(vocabulary.__file__).with_name("native_vocabulary.json")
    write_atomic(path, made.to_json())
    print(f"{len(made)} ids written to {path}")


if __name__ == "__main__":
    main()

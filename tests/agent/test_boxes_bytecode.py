"""What a box keeps of compiled Python: nothing that could hide an edit."""

from __future__ import annotations

from opencwm.agent.box import BoxSpec, open_box


def test_an_edit_of_the_same_size_within_the_same_second_is_seen() -> None:
    with open_box(BoxSpec()) as box:
        for value in "123":
            write = f"echo 'x = {value}' > same.py; touch -d @1000000000 same.py"
            look = "python -c 'import same; print(same.x)'"
            assert box.run(f"{write}; {look}", timeout_s=30.0).output.strip() == value

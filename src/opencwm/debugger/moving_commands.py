"""Commands that move a session: forward, back, elsewhere, and onto other timelines."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from opencwm.debugger.activations import is_part
from opencwm.debugger.commands import CommandError, Commands, UsageError, number, numbers
from opencwm.debugger.stops import Stop, StopKind
from opencwm.traces import StepKind

_QUIET_STOPS = frozenset({StopKind.ENTRY, StopKind.STEP, StopKind.GOAL})


class MovingCommands(Commands):
    """Commands that move a session."""

    def do_step(self, _: str) -> None:
        """``s(tep)``: go to the next step, into a call if the line makes one."""
        self._move(self.session.step_into)

    def do_next(self, _: str) -> None:
        """``n(ext)``: go to the next step of this function, over calls; after its return, to the caller."""
        self._move(self.session.step_over)

    def do_return(self, _: str) -> None:
        """``r(eturn)``: go on until this function returns."""
        self._move(self.session.step_out)

    def do_continue(self, _: str) -> None:
        """``c(ontinue)``: go on to the next breakpoint or to the end."""
        self._move(self.session.continue_)

    def do_until(self, rest: str) -> None:
        """``unt(il) [LINE]``: go on to a line after this one, or to LINE or later, in this function."""
        lineno = number(rest) if rest else None
        self._move(lambda: self.session.until(lineno))

    def do_goto(self, rest: str) -> None:
        """``g(oto) LINE [COUNT]``: go on until LINE is about to run; with COUNT, to that time of all."""
        wanted = numbers(rest)
        if not 1 <= len(wanted) <= 2:
            raise UsageError
        if len(wanted) == 1:
            self._move(lambda: self.session.run_to(wanted[0]))
            return
        lineno, count = wanted
        if count < 1:
            raise CommandError("times are counted from 1")
        with self._watching(self.session):
            found = next(itertools.islice(self.session.find_occurrences(lineno), count - 1, None), None)
        if found is None:
            known = len(self.session.occurrences(lineno))
            raise CommandError(f"line {lineno} is about to run {known} times as far as is known")
        self._move(lambda: self.session.goto(found))

    def do_seek(self, rest: str) -> None:
        """``seek STEP``: go to a step by its number, forward or back; 'trail' and 'history' show numbers."""
        position = number(rest)
        self._move(lambda: self.session.goto(position))

    def do_divergence(self, _: str) -> None:
        """``div(ergence)``: go to the first step that is not as in the real run."""
        self._move(self.session.goto_divergence)

    def do_rs(self, _: str) -> None:
        """``rs, back``: go back one step."""
        self._move(self.session.step_back)

    def do_rn(self, _: str) -> None:
        """``rn``: go back to the step before this one in this function, over calls."""
        self._move(self.session.back_over)

    def do_rr(self, _: str) -> None:
        """``rr``: go back to where this function was called."""
        self._move(self.session.back_out)

    def do_rc(self, _: str) -> None:
        """``rc, rewind``: go back to the last breakpoint, or to the first step."""
        self._move(self.session.continue_back)

    def do_who(self, rest: str) -> None:
        """``who NAME``: go back to the line that changed a variable of this function last."""
        if not is_part(rest):
            raise UsageError
        self._move(lambda: self.session.back_to_change(rest))

    def do_refr(self, _: str) -> None:
        """``refr(ame)``: go back to the call of the function that is looked at, see 'up'."""
        level = self._level
        self._move(lambda: self.session.restart_frame(level))

    def do_restart(self, _: str) -> None:
        """``restart, run``: go back to the first step; breakpoints and set variables stay."""
        self._move(self.session.restart)

    def do_set(self, rest: str) -> None:
        """``set NAME = VALUE``: change a variable on a new timeline; what follows is predicted anew."""
        name, equals, expression = rest.partition("=")
        if not equals or not name.strip().isidentifier() or not expression.strip():
            raise UsageError
        self._move(lambda: self.session.set_variable(name.strip(), expression.strip()))

    def do_steer(self, rest: str) -> None:
        """``steer KIND``: have the next step be a call, line, return or exception (cwm models only)."""
        if not rest:
            raise UsageError
        if rest not in tuple(StepKind):
            raise CommandError(f"{rest!r} is no kind of step: {', '.join(StepKind)}")
        self._move(lambda: self.session.steer(StepKind(rest)))

    def do_timelines(self, _: str) -> None:
        """``timelines, tl``: show all timelines: the first, and one for each variable that was set."""
        for item in self.session.timelines:
            mark = ">" if item is self.session.timeline else " "
            self._write(f"{mark} {item.number:>2}  {item}")

    def do_timeline(self, rest: str) -> None:
        """``timeline NUMBER``: go to another timeline, to where it was left."""
        self._level = -1
        self._write(f"[{self.session.select_timeline(number(rest)).reason}]")
        self.show()

    def do_drop(self, rest: str) -> None:
        """``drop NUMBER``: forget a timeline."""
        self.session.drop_timeline(number(rest))
        self._write(f"Dropped timeline {rest.strip()}")

    def do_why(self, _: str) -> None:
        """``why``: show why the last move stopped where it did."""
        self._write(f"step {self.session.position}: {self.session.last_stop.reason}")

    def _move(self, move: Callable[[], Stop]) -> None:
        was_ended = self.session.is_ended
        with self._watching(self.session):
            stop = move()
        self._level = -1
        for entry in stop.logs:
            self._write(f"[log {entry.breakpoint}, step {entry.position}, line {entry.lineno}] {entry.text}")
        if was_ended and self.session.is_ended:
            raise CommandError(f"the end: {stop.reason}; 'back' and 'restart' go back")
        if stop.is_end:
            self._write(f"--End-- {stop.reason}")
            self._show_real_end(stop)
            return
        if stop.kind not in _QUIET_STOPS:
            self._write(f"[{stop.reason}]")
        self.show()

    def _show_real_end(self, stop: Stop) -> None:
        """Say how the real run goes on where the prediction ended, when that differs."""
        real = self.session.real
        if real is None or self.session.row is None:
            return
        following = real.get(stop.position + 1)
        if following is not None:
            self._write(f"    *** the real run goes on to line {following.step.lineno}")
        elif real.status != stop.reason:
            self._write(f"    *** the real run: {real.status}")

"""What people and Gemini do in the state machine of the protocol, between passes or within one. Each act is told to the
laws, since some of what follows from it would be forbidden otherwise.

Whom an act is about is given as a number, ``pick``: it counts through whatever there is then.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from itertools import cycle
from pathlib import Path
from shutil import copytree, rmtree
from tempfile import mkdtemp
from typing import TypeVar

from assets.domain.batch import LATE, JobState, RemoteJob, submission_of
from assets.domain.errors import LockBusyError, QuireError
from assets.domain.ledger import ACTIVE, COUNTS, HOME
from assets.domain.outcome import OutcomeKind
from assets.domain.record import decode_span
from assets.validation import ModelValidator
from flows.operate import release, rerun, results_as_they_are, unblock, unblock_held, undo_rerun
from flows.prune import prune_counts
from flows.resettle import judge_again
from flows.runtime.passes import Pass
from flows.runtime.wiring import Services
from flows.tables.corrections import Corrector
from tests.properties.protocol_answers import NOBODYS_LINES, result_line
from tests.properties.protocol_images import KEYS
from tests.properties.protocol_laws import PERSON, Laws, counts_in
from tests.properties.protocol_world import End, Ended, MendedText, Work, World
from tests.twins.effects import Interruption, Point, When

T = TypeVar("T")


class Operator:
    """A person with Prefect's UI, the folders and the command line."""

    def __init__(self, world: World, laws: Laws) -> None:
        self.world, self.laws = world, laws
        self.backup: dict[str, object] | None = None
        self._files: Path | None = None

    # --- by hand

    def save_list(self, names: Sequence[str]) -> None:
        """Save the active list, whatever stands there by now."""
        self.laws.active_edited(list(names))
        self.world.variables.values[ACTIVE] = list(names)

    def take_out(self, pick: int) -> None:
        """Free a batch that looks stuck."""
        names = self.laws.active()
        if names:
            names.remove(_chosen(names, pick))
            self.save_list(names)

    def save_counts(self, counts: dict[str, int]) -> None:
        """Save all failure counts, whatever stands there by now."""
        self.laws.counts_edited({key: counts.get(key, 0) for key in KEYS})
        self.world.variables.values[COUNTS] = {key: count for key, count in counts.items() if count}

    def set_count(self, pick: int, count: int) -> None:
        self.save_counts({**self.laws.counts(), _chosen(KEYS, pick): count})

    def results(self) -> list[str]:
        """The records that are done."""
        return [key for key, path in self.world.result_paths.items() if path.exists()]

    def delete_output(self, pick: int) -> None:
        done = self.results()
        if done:
            key = _chosen(done, pick)
            self.laws.deleted(key)
            self.world.result_paths[key].unlink()

    def replace_image(self, pick: int, version: int, *, keeps_time: bool) -> None:
        """Put another scan of a page in its place, or the same again."""
        self.world.images.replace(_chosen(KEYS, pick), version, keeps_time=keeps_time)

    def correct(self, pick: int, *, checks: bool) -> None:
        """Write a page's result, or with ``checks`` say that it is good; nothing where that cannot be done now."""
        key, world = _chosen(KEYS, pick), self.world
        corrector = Corrector(
            world.storage,
            ModelValidator(world.model),
            "",
            now=lambda: world.now,
            new_id=world.services().new_submission_id,
            patience_seconds=0,
        )
        seen = world.files.result_file(key)
        text = json.dumps({"page": key, "job": PERSON, "shade": len(self.laws.vouched)})
        self.laws.correcting(key, None if checks else corrector.judged(key, text))
        try:
            if not checks:
                corrector.correct(key, text, seen=seen.sha256 if seen is not None else None, by="Ada")
            elif seen is not None:
                corrector.check(key, seen=seen.sha256, by="Bob")
            else:
                return
        except LockBusyError:
            # A pass is writing results just now: the person is told, and nothing is saved.
            return
        self.laws.vouched_for(key)

    def corrects(self, pick: int, at: Point, *, checks: bool) -> Ended:
        """The same in a process of its own. ``at``: where it dies."""

        async def work(_: Pass) -> None:
            self.correct(pick, checks=checks)

        return self.world.run_command(work, [self.crash(at)])

    def correct_schema(self) -> None:
        self.world.model = MendedText

    # --- disks and backups

    def back_up(self) -> None:
        """Take down the Variables and the manifests as they are."""
        self.backup = deepcopy(self.world.variables.values)
        self._drop_files()
        self._files = Path(mkdtemp(prefix="quire-machine-backup-", dir=self.world.root.parent)) / "manifests"
        # No file is written in its place, so that a second name for it is a copy.
        copytree(self.world.files.manifests, self._files, copy_function=os.link)

    def _drop_files(self) -> None:
        if self._files is not None:
            rmtree(self._files.parent)
        self._files = None

    def close(self) -> None:
        self._drop_files()

    def restore_database(self) -> None:
        """From the last backup."""
        assert self.backup is not None
        values = deepcopy(self.backup)
        self.laws.active_edited(list(values[ACTIVE]))  # type: ignore[call-overload]  # a person's edits are sane
        self.laws.counts_edited(dict.fromkeys(KEYS, 0) | counts_in(values))
        self.world.variables.values = values

    def newest_in_backup(self) -> str:
        """The newest submission that the database of the last backup has heard of."""
        assert self.backup is not None
        newest: str = self.backup[HOME]["newest_submission"]  # type: ignore[index]
        return newest

    def recover(self) -> Ended:
        """Make the Variables anew; counts that were reset come back."""
        ended = self.world.run_recover()
        self.laws.counts_edited(dict.fromkeys(KEYS, 0) | self.laws.counts())
        return ended

    @contextmanager
    def folder_from_backup(self) -> Iterator[None]:
        """The manifests are those of the last backup, for the length of the block."""
        assert self._files is not None
        with self._instead_of(self.world.storage.manifests):
            copytree(self._files, self.world.storage.manifests)
            yield

    @contextmanager
    def folder_not_mounted(self, name: str) -> Iterator[None]:
        """An empty folder stands in the place of one of ours, for the length of the block."""
        storage = self.world.storage
        folder = {"results": storage.output_results, "manifests": storage.manifests}.get(name, storage.manifests / name)
        with self._instead_of(folder):
            folder.mkdir()
            yield

    @contextmanager
    def _instead_of(self, folder: Path) -> Iterator[None]:
        aside = folder.with_name(f"{folder.name}-aside")
        folder.rename(aside)
        try:
            yield
        finally:
            rmtree(folder)
            aside.rename(folder)

    # --- by command

    def release(self, pick: int, *, cancel: bool) -> Work | None:
        """Let go of an active batch, if there is one."""
        names = self.laws.active()
        if not names:
            return None
        name = _chosen(names, pick)

        async def work(p: Pass) -> None:
            self.laws.asked(name)
            await release(p, name, cancel=cancel)

        return work

    def reset(self, pick: int, *, again: bool, at: Point) -> Ended:
        """Take a record's count away, and with ``again`` have it read again. ``at``: where the command dies."""
        key = _chosen(KEYS, pick)
        self.laws.counts_edited({key: 0}, is_sure=False)
        if again:
            self.laws.wished_again(key)

        async def work(p: Pass) -> None:
            services = p.services
            if again:
                await rerun_one(services, key)
            else:
                await unblock(services.ledger, [decode_span(key)])
            await unblock_held(services.storage, [key])

        ended = self.world.run_command(work, [self.crash(at)])
        if ended.how is End.FINISHED:
            self.laws.counts_edited({key: 0})
        return ended

    def kept(self) -> list[str]:
        """The closed submissions whose answers can be judged again."""
        raw, closed = self.world.files.raw.names(), set(self.laws.closed)
        ours = {submission_of(each) for each in raw} & closed - set(self.laws.active_submissions())
        return sorted(each for each in ours if each in raw or (each + LATE in raw and each in self.laws.late))

    def resettle(self, pick: int, at: Point) -> Ended:
        """Judge the answers of a batch again. ``at``: where the command dies."""
        submission_id = _chosen(self.kept(), pick)
        self.laws.resettling(submission_id)

        async def work(p: Pass) -> None:
            await judge_again(p, submission_id, dry_run=False)

        return self.world.run_locked(work, [self.crash(at)])

    def take_back(self, pick: int, at: Point) -> Ended:
        """Let a result stay that was to be replaced. ``at``: where the command dies."""
        key = _chosen(KEYS, pick)
        self.laws.taken_back(key)

        async def work(p: Pass) -> None:
            await undo_rerun(p.services.storage, p.services.ledger, [key])

        return self.world.run_command(work, [self.crash(at)])

    def prune(self) -> Ended:
        done = dict.fromkeys(self.results(), 0)
        ended = self.world.run_command(prune_counts)
        self.laws.counts_edited(done)
        return ended

    # --- within a pass

    def crash(self, at: Point) -> Interruption:
        return Interruption(at, self.world.effects.crash)

    def lose_lease(self) -> None:
        self.laws.lease_lost()
        self.world.lose_lease()

    async def release_within(self, pick: int, *, cancel: bool) -> None:
        work = self.release(pick, cancel=cancel)
        if work is not None:
            try:
                await self.world.command(work)
            except QuireError:
                return
            # What the pass does from now on must leave that as it is.
            self.laws.notice()

    async def wish_within(self, pick: int, *, again: bool) -> None:
        """Have a record read again, or take that back."""
        key = _chosen(KEYS, pick)
        if again:
            self.laws.counts_edited({key: 0}, is_sure=False)
            self.laws.wished_again(key)
        else:
            self.laws.taken_back(key)

        async def work(p: Pass) -> None:
            services = p.services
            if again:
                await rerun_one(services, key)
            else:
                await undo_rerun(services.storage, services.ledger, [key])

        await self.world.command(work)
        self.laws.notice()

    def act_within(self, at: Point, what: str, pick: int) -> Interruption:
        """Before effect ``at`` of a pass. ``what``: a name of ACTS."""
        names = self.laws.active()
        match what:
            case "takes a batch out":
                return Interruption(at, lambda: self.take_out(pick), When.BETWEEN_CHANGES)
            case "saves the list as it was":
                return Interruption(at, lambda: self.save_list(names), When.BETWEEN_CHANGES)
            case "resets a count":
                return Interruption(at, lambda: self.set_count(pick, 0), When.BETWEEN_CHANGES)
            case "replaces an image":
                return Interruption(at, lambda: self.replace_image(pick, 1 + pick % 2, keeps_time=False))
            case "deletes an output":
                return Interruption(at, lambda: self.delete_output(pick))
            case "releases a batch":
                return Interruption(at, lambda: self.release_within(pick, cancel=False), When.AT_A_CALL)
            case "cancels a batch":
                return Interruption(at, lambda: self.release_within(pick, cancel=True), When.AT_A_CALL)
            case "has a record read again":
                return Interruption(at, lambda: self.wish_within(pick, again=True), When.AT_A_CALL)
            case "takes that back":
                return Interruption(at, lambda: self.wish_within(pick, again=False), When.AT_A_CALL)
            case "corrects a page":
                return Interruption(at, lambda: self.correct(pick, checks=False))
            case "checks a page":
                return Interruption(at, lambda: self.correct(pick, checks=True))
            case "lets it sleep":
                return Interruption(at, self.lose_lease)
        raise ValueError(what)


ACTS = (
    "takes a batch out",
    "saves the list as it was",
    "resets a count",
    "deletes an output",
    "replaces an image",
    "releases a batch",
    "cancels a batch",
    "has a record read again",
    "takes that back",
    "corrects a page",
    "checks a page",
    "lets it sleep",
)
"""What happens within a pass; the last one: the machine sleeps until the lease has run out."""


async def rerun_one(services: Services, key: str) -> None:
    results = results_as_they_are(services.storage, [key])
    new_id = services.new_submission_id()
    await rerun(services.storage, services.ledger, [key], results, rerun_id=new_id, edited=True)


class Service:
    """Gemini's own doing."""

    def __init__(self, world: World, laws: Laws) -> None:
        self.world, self.laws = world, laws

    def running(self) -> list[RemoteJob]:
        return [job for job in self.world.gemini.jobs() if not job.is_terminal]

    def end(
        self, job: RemoteJob, state: JobState, answers: Sequence[OutcomeKind] | None, *, has_more: bool = False
    ) -> None:
        """End a job. ``answers``: of its records, from the first on and over again; None: it has no result file.
        ``has_more``: the result has lines that belong to nobody, and bad ones before the good ones."""
        made = next(each for each in self.world.gemini.made if each.name == job.name)
        given = dict(zip(made.keys, cycle(answers), strict=False)) if answers else {}
        lines: list[bytes | None] = [*NOBODYS_LINES] if has_more else []
        for key, answer in given.items():
            saw = self.laws.claims.shades[job.name, key][-1]
            kinds = [OutcomeKind.API_ERROR, answer] if has_more and answer is OutcomeKind.SUCCESS else [answer]
            is_mended = job.name in self.laws.claims.mended
            lines += [result_line(key, job.name, kind, shade=saw, is_mended=is_mended) for kind in kinds]
        # A record without a line is what its job is.
        self.laws.answers[job.name] = {
            key: answer for key, answer in given.items() if answer is not OutcomeKind.MISSING
        }
        self.world.gemini.end_job(job.name, state, [each for each in lines if each] if answers is not None else None)

    def with_results(self) -> list[RemoteJob]:
        """The jobs whose result file can be had."""
        return [job for job in self.world.gemini.jobs() if self.world.gemini.has_result(job)]

    def answer_all(self) -> None:
        """Every job succeeds, with a good answer to each record."""
        for job in self.running():
            self.end(job, JobState.SUCCEEDED, [OutcomeKind.SUCCESS])


def _chosen(things: Sequence[T], pick: int) -> T:
    return things[pick % len(things)]

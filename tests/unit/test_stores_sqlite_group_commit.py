"""act.stores.sqlite.group_commit: writers share a commit, and nothing else."""

from __future__ import annotations

import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from act.errors import Refused, StoreFault
from act.stores.sqlite.group_commit import GroupCommit

Work = Callable[[sqlite3.Connection], Any]


class _Stop(BaseException):
    pass


class _Connection(sqlite3.Connection):
    """A connection that can be told to be interrupted by a signal that came while the n-th commit was on its way."""

    commits_left = 0
    commits = 0

    def execute(self, statement: str, values: Any = (), /) -> Any:
        done = super().execute(statement, values)
        if statement == "COMMIT":
            self.commits += 1
            self.commits_left -= 1
            if not self.commits_left:
                raise _Stop
        return done


class Desk:
    """A table of numbers behind a group commit whose first transaction can be held back until others wait."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=_Connection)
        self.connection.execute("CREATE TABLE number (n INTEGER PRIMARY KEY) STRICT")
        self.begun = 0
        self.failure: Exception | None = None
        self.group: GroupCommit[sqlite3.Connection] = GroupCommit(self._begin, 8)

    def _begin(self) -> sqlite3.Connection:
        self.begun += 1
        if self.failure is not None:
            raise self.failure
        self.connection.execute("BEGIN IMMEDIATE")
        return self.connection

    def numbers(self) -> list[int]:
        return [row[0] for row in self.connection.execute("SELECT n FROM number ORDER BY n")]

    def together(self, works: list[Work], *, before: Work | None = None) -> list[Any]:
        """What each of some works gives when all of them wait while another one is under way. An error is what it gives."""
        gate, answers = threading.Event(), [None] * len(works)

        def first(connection: sqlite3.Connection) -> None:
            assert gate.wait(30)
            if before is not None:
                before(connection)

        def ask(place: int) -> None:
            try:
                answers[place] = self.group.run(works[place])
            except BaseException as error:  # noqa: BLE001 - the answer
                answers[place] = error  # type: ignore[call-overload]

        def lead() -> None:
            with pytest.raises(KeyError) if before is not None else closing(Path("/dev/null").open()):
                self.group.run(first)

        threads = [threading.Thread(target=lead)]
        threads[0].start()
        while self.group._works._leader is None:
            pass
        for place in range(len(works)):
            threads.append(threading.Thread(target=ask, args=(place,)))
            threads[-1].start()
            while len(self.group._works._queue) <= place:
                pass
        gate.set()
        for thread in threads:
            thread.join(30)
        return answers


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "numbers.db")
    yield made
    made.connection.close()


def put(number: int) -> Work:
    def work(connection: sqlite3.Connection) -> int:
        connection.execute("INSERT INTO number VALUES (?)", (number,))
        return number

    return work


def _noting(ran: list[int], number: int) -> Work:
    def work(connection: sqlite3.Connection) -> Any:
        ran.append(number)
        return put(number)(connection)

    return work


def refuse(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO number VALUES (99)")
    raise Refused("charge_unknown", "charge")


def break_down(connection: sqlite3.Connection) -> None:
    raise sqlite3.OperationalError("disk I/O error")


def test_writers_that_wait_share_one_commit(desk: Desk) -> None:
    assert desk.together([put(1), put(2), put(3)]) == [1, 2, 3]
    assert desk.begun == 2
    assert desk.numbers() == [1, 2, 3]


def test_no_commit_is_shared_by_more_than_allowed(desk: Desk) -> None:
    assert desk.together([put(n) for n in range(20)]) == list(range(20))
    assert desk.begun == 4


def test_one_that_is_refused_takes_nothing_from_the_others(desk: Desk) -> None:
    answers = desk.together([put(1), refuse, put(2), put(1), put(3)])
    assert [answers[0], answers[2], answers[4]] == [1, 2, 3]
    assert isinstance(answers[1], Refused)
    assert isinstance(answers[3], sqlite3.IntegrityError)
    assert desk.numbers() == [1, 2, 3]
    assert desk.connection.commits == 2


def test_a_refusal_that_wrote_nothing_has_nothing_done_again(desk: Desk) -> None:
    def refuse_at_once(connection: sqlite3.Connection) -> None:
        raise Refused("charge_unknown", "charge")

    ran: list[int] = []
    answers = desk.together([_noting(ran, 1), refuse_at_once, _noting(ran, 2)])
    assert [answers[0], answers[2]] == [1, 2]
    assert isinstance(answers[1], Refused)
    assert (desk.begun, ran) == (2, [1, 2])


def test_a_refusal_that_wrote_something_has_all_of_them_done_anew_apart(desk: Desk) -> None:
    ran: list[int] = []
    answers = desk.together([_noting(ran, 1), refuse, _noting(ran, 2)])
    assert [answers[0], answers[2]] == [1, 2]
    assert isinstance(answers[1], Refused)
    assert (desk.begun, desk.connection.commits) == (3, 2)
    assert ran == [1, 1, 2]
    assert desk.numbers() == [1, 2]


def test_an_answer_of_a_turn_that_is_begun_anew_is_not_told(desk: Desk) -> None:
    """The first is refused in the turn that another's refusal undoes, and finds what it looked for when all is done anew."""

    def once(connection: sqlite3.Connection) -> str:
        if not ran:
            ran.append(1)
            raise Refused("charge_unknown", "charge")
        return "done"

    ran: list[int] = []
    answers = desk.together([once, refuse])
    assert answers[0] == "done"
    assert isinstance(answers[1], Refused)


def test_a_failure_to_begin_anew_is_everybodys(desk: Desk) -> None:
    def lock_out(connection: sqlite3.Connection) -> None:
        desk.failure = StoreFault("store_busy", "here", reason="locked")
        refuse(connection)

    answers = desk.together([put(1), lock_out, put(2)])
    assert [str(answer) for answer in answers] == [str(desk.failure)] * 3
    desk.failure = None
    assert desk.numbers() == []
    assert desk.group.run(put(4)) == 4


def test_a_failure_of_the_database_is_everybodys_and_nothing_is_written(desk: Desk) -> None:
    answers = desk.together([put(1), break_down, put(2)])
    assert {type(answer) for answer in answers} == {sqlite3.OperationalError}
    assert desk.numbers() == []
    assert desk.together([put(1)]) == [1]


def test_a_want_of_memory_is_everybodys_and_nothing_is_written(desk: Desk) -> None:
    """SQLite has ended the transaction by then: whatever came after would be committed statement by statement."""

    def run_out(connection: sqlite3.Connection) -> None:
        connection.execute("ROLLBACK")
        raise MemoryError

    answers = desk.together([put(1), run_out, put(2), refuse])
    assert {type(answer) for answer in answers} == {MemoryError}
    assert desk.numbers() == []
    assert desk.together([put(1)]) == [1]


def test_what_ends_the_transaction_by_itself_has_nothing_committed_alone(desk: Desk) -> None:
    def end(connection: sqlite3.Connection) -> None:
        connection.execute("ROLLBACK")
        raise Refused("charge_unknown", "charge")

    answers = desk.together([put(1), end, put(2), refuse])
    assert {type(answer) for answer in answers} == {sqlite3.OperationalError}  # there is no savepoint to go back to
    assert desk.numbers() == []
    assert desk.together([put(1)]) == [1]


def test_each_writer_raises_a_fault_of_its_own(desk: Desk) -> None:
    def fail_from_now_on(connection: sqlite3.Connection) -> None:
        desk.failure = StoreFault("store_full", "here", reason="full")
        raise KeyError

    answers = desk.together([put(1), put(2)], before=fail_from_now_on)
    assert [str(answer) for answer in answers] == [str(desk.failure)] * 2
    assert answers[0] is not answers[1]
    assert desk.numbers() == []


def test_a_leader_that_is_interrupted_leaves_the_others_work_to_the_next(desk: Desk) -> None:
    def stop(connection: sqlite3.Connection) -> None:
        raise _Stop

    answers = desk.together([stop, put(1), put(2)])
    assert isinstance(answers[0], _Stop)
    assert answers[1:] == [1, 2]
    assert desk.numbers() == [1, 2]
    assert desk.group.run(put(3)) == 3


def test_what_was_committed_while_the_leader_was_interrupted_is_not_done_again(desk: Desk) -> None:
    desk.connection.commits_left = 2
    answers = desk.together([put(1), put(2), refuse])
    assert isinstance(answers[0], _Stop)
    assert answers[1] == 2
    assert isinstance(answers[2], Refused)
    assert desk.numbers() == [1, 2]
    assert desk.connection.commits == 2


def test_a_refusal_of_a_turn_that_was_interrupted_is_not_told(desk: Desk) -> None:
    """The leader's row stands in the way of the other's, and is undone when the leader is interrupted."""

    def unless_there(connection: sqlite3.Connection) -> str:
        if connection.execute("SELECT 1 FROM number WHERE n = 1").fetchone():
            raise Refused("order_already_paid", "order")
        return "done"

    def stop(connection: sqlite3.Connection) -> None:
        if not stopped:
            stopped.append(True)
            raise _Stop

    stopped: list[bool] = []
    answers = desk.together([put(1), unless_there, stop])
    assert isinstance(answers[0], _Stop)  # raised where the batch is worked off, in the thread that leads
    assert answers[1:] == ["done", None]
    assert desk.numbers() == []


class Behind:
    """A leader that is under way until it is let go, and a thread that can be told to wait for something."""

    def __init__(self, desk: Desk) -> None:
        self._gate, self._desk = threading.Event(), desk
        self.leader = threading.Thread(target=lambda: desk.group.run(lambda connection: self._gate.wait(30)))
        self.leader.start()
        while desk.group._works._leader is None:
            pass

    def let_go_and_join(self, *others: threading.Thread) -> None:
        self._gate.set()
        for thread in (self.leader, *others):
            thread.join(30)
            assert not thread.is_alive()

    def queued(self, count: int) -> None:
        while len(self._desk.group._works._queue) < count:
            pass


@pytest.fixture
def _heeds_sigint() -> Iterator[None]:
    """A shell has what it runs in the background ignore the signal, and so do its children."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_heeds_sigint")
def test_who_is_interrupted_while_waiting_is_waited_for_by_nobody(desk: Desk) -> None:
    behind = Behind(desk)
    others: list[threading.Thread] = []

    def interrupt() -> None:
        behind.queued(2)
        others.append(threading.Thread(target=lambda: desk.group.run(put(3))))
        others[0].start()
        behind.queued(3)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    other = threading.Thread(target=interrupt)
    other.start()
    with pytest.raises(KeyboardInterrupt):
        desk.group.run_all([put(1), put(2)])
    behind.let_go_and_join(other, *others)
    assert desk.numbers() == [3]
    assert desk.group.run(put(4)) == 4


def test_the_works_of_one_thread_share_commits_with_those_of_others(desk: Desk) -> None:
    behind = Behind(desk)
    answers: list[Any] = []
    many = threading.Thread(target=lambda: answers.extend(desk.group.run_all([put(n) for n in range(6)] + [refuse, put(6)])))
    many.start()
    behind.queued(8)
    one = threading.Thread(target=lambda: answers.append(desk.group.run(put(7))))
    one.start()
    behind.queued(9)
    behind.let_go_and_join(many, one)
    assert desk.connection.commits == 3  # the leader's, eight of nine works, and the last
    assert desk.numbers() == list(range(8))
    assert sorted(answer for answer in answers if isinstance(answer, int)) == list(range(8))
    (refused,) = [answer for answer in answers if not isinstance(answer, int)]
    assert isinstance(refused, Refused)


def test_no_works_are_no_transaction(desk: Desk) -> None:
    assert desk.group.run_all([]) == []
    assert desk.begun == 0


def test_nothing_begins_while_it_is_paused(desk: Desk) -> None:
    with desk.group.paused():
        thread = threading.Thread(target=lambda: desk.group.run(put(1)))
        thread.start()
        while not desk.group._works._queue:
            pass
        assert desk.begun == 0
    thread.join(30)
    assert desk.numbers() == [1]

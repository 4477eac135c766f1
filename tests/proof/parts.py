"""The parts of the campaign: what each is to prove, what it runs on, its share of the time, and what it reports."""

import time
from dataclasses import asdict, dataclass, field
from typing import Any

Figures = dict[str, int | float | str]
MOST_FINDINGS, LONGEST_FINDING = 20, 600


@dataclass(frozen=True)
class PartReport:
    """What a part found.

    `holds` says that nothing broke in what was `tried`; `is_complete` that all of it was tried before the time ran out. A figure is
    a count that was taken in this run, never one that was asked for.
    """

    name: str
    seed: int
    figures: Figures
    holds: bool
    tried: int
    """How much of what it is to prove was tried, in its own unit; 0 when it was cut off before the first."""
    is_complete: bool = True
    found: tuple[str, ...] = ()
    """What broke, a sentence each; empty where it holds."""

    def kept(self) -> dict[str, Any]:
        """Give it as JSON keeps it; of what broke, enough to begin with."""
        return {**asdict(self), "found": [text[:LONGEST_FINDING] for text in self.found[:MOST_FINDINGS]]}


@dataclass(frozen=True)
class Bounds:
    """How much a part may take: a share of its full size, and seconds from now on."""

    seconds: float = float("inf")
    size: float = 1.0
    began_s: float = field(default_factory=time.monotonic)

    def of(self, full: int) -> int:
        """Tell how many to try, of `full` in the long form; at least one."""
        return max(1, round(full * self.size))

    @property
    def left_s(self) -> float:
        """Tell the seconds that are left; negative when time is over."""
        return self.began_s + self.seconds - time.monotonic()

    @property
    def is_over(self) -> bool:
        return self.left_s <= 0


@dataclass(frozen=True)
class Part:
    """One line of the campaign. Its module `tests.proof.<name>` has `run(stack, seed, bounds) -> PartReport`."""

    proves: str
    promise: str
    """What of SECURITY.md it stands for."""
    shows: tuple[str, ...]
    """The figures that SECURITY.md shows."""
    minutes: float
    """Its share of a campaign of `WHOLE_MINUTES`."""
    programs: tuple[str, ...] = ("web", "worker", "beat")
    """What runs of the application; a database without it is migrated all the same."""
    has_provider: bool = False
    """Whether the payment provider is a process of its own that can be killed, or the sandbox's."""
    runs_beside: bool = False
    """Whether it takes its time on a core of its own, while other parts run one after the other."""
    postgres: dict[str, str] = field(default_factory=dict)
    """Settings of PostgreSQL other than those of `make run`."""
    environment: dict[str, str] = field(default_factory=dict)
    """Variables of the application other than those of `make run`."""


LOST = "nothing acknowledged is lost or doubled"
THEIRS = "nobody reads or changes what isn't theirs"
CARDS = "a card number is in the vault and nowhere else"
FAULTS = "nothing that is sent is answered by a fault"
NOTICED = "the tests would notice"

PARTS: dict[str, Part] = {
    "crash_bank": Part(
        "20,000 mixed operations over HTTP with 100 SIGKILLs: nothing acknowledged is lost or doubled",
        promise=LOST,
        shows=(
            "operations answered",
            "kills",
            "acknowledged and lost",
            "doubled",
            "reads that agreed",
            "reads that summed wrong",
        ),
        minutes=7.0,
        has_provider=True,
    ),
    "crash_bank_control": Part(
        "With `synchronous_commit=off` the same bank goes red",
        promise=LOST,
        shows=("operations answered", "kills", "acknowledged and lost", "the bank says"),
        minutes=2.0,
        has_provider=True,
        postgres={"synchronous_commit": "off"},
    ),
    "crash_points": Part(
        "Every named step of every money flow and every statement of every money call, killed there and again on resume:"
        " one effect each",
        promise=LOST,
        shows=(
            "tests that kill at a named step",
            "kills before a statement or the answer, and again on resume",
        ),
        minutes=1.5,
        programs=(),
    ),
    "keys": Part(
        "One key, 8 racers, every money call: one effect and identical bytes, also after kill, flush and restart",
        promise=LOST,
        shows=(
            "answers",
            "keys answered in different ways",
            "keys asked again afterwards, with the same and another body",
        ),
        minutes=8.0,
    ),
    "access": Part(
        "Every operation × every id × foreign owners and every role: nothing read, nothing written, equal 404 bodies;"
        " every model's fields posted to every write",
        promise=THEIRS,
        shows=(
            "operations of the document",
            "foreign ids refused",
            "calls of roles without the permission refused",
            "fields refused by name",
            "calls after which no table had changed",
        ),
        minutes=0.5,
        programs=("web",),
    ),
    "tokens_of_access": Part(
        "Forged and stale access tokens open nothing, a rotation of keys refuses no valid one, and one of eight spends a"
        " refresh token",
        promise=THEIRS,
        shows=(
            "forged or stale tokens",
            "of those not refused with 401",
            "calls with valid tokens during the rotation",
            "valid tokens refused",
            "refresh tokens spent by eight",
            "winners",
        ),
        minutes=1.5,
    ),
    "hostile_urls": Part(
        "Webhook targets that lead inside, by address, name, rebinding or redirect, are never connected to",
        promise=THEIRS,
        shows=("hostile targets", "attempts of the worker", "connections to hostile targets"),
        minutes=1.0,
    ),
    "card_numbers": Part(
        "1,000 card numbers × 4 forms × every operation × body, query, path and header: none in a table, Valkey, a log,"
        " metrics or an error page; random UUIDs stay readable",
        promise=CARDS,
        shows=(
            "numbers",
            "forms of each",
            "requests",
            "numbers in tables",
            "numbers in Valkey",
            "numbers in logs",
            "numbers in metrics",
            "numbers in error pages",
            "random UUIDs",
            "of them masked",
        ),
        minutes=4.0,
    ),
    "fuzz": Part(
        "Schemathesis on the whole document, 200 examples of each operation and all phases: no 5xx, no break of the schema",
        promise=FAULTS,
        shows=(
            "answers, as user",
            "5xx, as user",
            "checks failed, as user",
            "answers, as admin",
            "5xx, as admin",
            "checks failed, as admin",
        ),
        minutes=10.0,
        environment={"ACCESS_TOKEN_LIFETIME_S": "7200"},
    ),
    "parsers": Part(
        "The parsers of Apple's and Google's tokens and of providers' webhooks under a fuzzer guided by coverage, 10 minutes"
        " each: read, or refused by code, and nothing believed that nobody signed",
        promise=FAULTS,
        shows=tuple(
            f"{target}: {figure}"
            for target in ("cms", "google", "webhooks")
            for figure in ("executions", "edges", "crashes")
        ),
        minutes=31.0,
        programs=(),
        runs_beside=True,
    ),
    "model": Part(
        "Two state machines, 512 × 50 steps each, agree with a model of the book; a refusal changes nothing",
        promise=LOST,
        shows=("examples of each", "steps of each example"),
        minutes=9.0,
        runs_beside=True,
        programs=(),
    ),
    "provider_chaos": Part(
        "2,000 top-ups at a provider in a storm, 2,000 jobs under kills, refunds of 1,000 lines raced: each effect once",
        promise=LOST,
        shows=("top-ups in the storm", "jobs under kills, refunds raced", "charged"),
        minutes=4.0,
        programs=(),
    ),
    "mutation": Part(
        "Twelve mechanisms removed one at a time: a test of `make test` goes red for each",
        promise=NOTICED,
        shows=("mechanisms removed", "noticed"),
        minutes=2.5,
        programs=(),
    ),
    "redis_loss": Part(
        "The bank goes on while Valkey is gone for seconds or forgets everything, and all that was due is done",
        promise=LOST,
        shows=("operations answered", "kills", "acknowledged and lost", "doubled"),
        minutes=2.0,
        has_provider=True,
    ),
}
WHOLE_MINUTES = 44.0

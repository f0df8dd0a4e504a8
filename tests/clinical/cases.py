"""Children of docs/eligibility_cases.md: one who meets every criterion, with one thing changed."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from corelab.clinical.sledai import WEIGHTS
from tests.tables.trial import Trial, bcell

TABLE = Path(__file__).parents[2] / "docs" / "eligibility_cases.md"
DRAWN = "2025-06-02T08:00:00+08:00"
LABS = {
    "ALC": ("1.8", "10^9/L", None), "WBC": ("6.3", "10^9/L", None), "ANC": ("3.8", "10^9/L", None),
    "HGB": ("104", "g/L", None), "ALT": ("23", "U/L", 40), "AST": ("28", "U/L", 40),
    "TBIL": ("8.1", "umol/L", 20.5), "CREAT": ("60", "umol/L", 88), "INR": ("1.0", "1", 1.2),
    "PT": ("11.8", "s", 14), "UPCR": ("2.4", "g/g", 0.2), "ANA": ("1:320", "titre", None),
    "HEIGHT": ("140", "cm", None), "HBSAG": ("negative", "1", None), "HBCAB": ("negative", "1", None),
    "HCVAB": ("negative", "1", None), "HIVAB": ("negative", "1", None), "SYPHILIS": ("negative", "1", None),
}  # fmt: skip
ATTESTED = dict.fromkeys(
    ("sle_2019_eular_acr", "refractory_ln", "venous_access", "informed_consent", "hemodynamic_stability"),
    "yes",
) | {f"E{number:02d}": "no" for number in (1, 2, 3, 4, 5, 7, 8, 9, 10, 11)}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row of the table."""

    number: int
    criterion: str
    change: str
    state: str
    remark: str

    @property
    def subject_id(self) -> str:
        return f"C{self.number:03d}"


@dataclass
class Child:
    """What is delivered of one child."""

    subject_id: str
    birth: str = "2012-03-04"
    age: str = ""
    consent: str = "2025-06-01"
    labs: dict[str, tuple[str, str, float | None]] = field(default_factory=lambda: dict(LABS))
    attested: dict[str, str] = field(default_factory=lambda: dict(ATTESTED))
    history: str = "yes"
    ecog: str = "1"
    biopsy: tuple[str, str, str] | None = ("IV+V", "yes", "2025-05-01")
    sledai: dict[str, str] = field(
        default_factory=lambda: {
            name: str(int(name in ("hematuria", "proteinuria", "pyuria"))) for name in WEIGHTS
        }
    )
    height_date: str = DRAWN
    drugs: list[tuple[str, str, str]] = field(default_factory=list)
    cd19: tuple[int, int] | None = (400, 410)

    def deliver(self, trial: Trial) -> None:
        """Add the child's rows to a trial."""
        self._deliver_labs(trial)
        self._deliver_scores(trial)
        trial.add(
            "subjects", subject_id=self.subject_id, sex="F", birth_date=self.birth,
            age_years=self.age or None, consent_date=self.consent, arm="",
        )  # fmt: skip
        for drug, start, end in self.drugs:
            trial.add("medications", subject_id=self.subject_id, drug=drug, start=start, end=end)
        if self.cd19:
            counts = bcell(self.cd19[1], reference=self.cd19[1], positive=self.cd19[0])
            trial.tube(
                "SCR", 0, counts, panel="bcell", subject_id=self.subject_id, control="fmo_cd19",
                collected_at=DRAWN,
            )  # fmt: skip

    @property
    def _key(self) -> dict[str, str]:
        return {"subject_id": self.subject_id, "visit": "SCR", "collected_at": DRAWN}

    def _deliver_labs(self, trial: Trial) -> None:
        for test, (value, unit, limit) in self.labs.items():
            row = {**self._key, "collected_at": self.height_date} if test == "HEIGHT" else self._key
            trial.add("labs", **row, test=test, value=value, unit=unit, ref_high=limit)

    def _deliver_scores(self, trial: Trial) -> None:
        key = self._key
        scored = [("SLEDAI-2K", name, value) for name, value in self.sledai.items()]
        scored += [("attestation", name, value) for name, value in self.attested.items()]
        scored += [("history", "csf_history_known", self.history), ("ECOG", "score", self.ecog)]
        for instrument, item, value in scored:
            if value not in ("", "none"):
                trial.add("assessments", **key, instrument=instrument, item=item, value=value, by="INV-01")
        if self.biopsy:
            grade, active, date = self.biopsy
            for item, value in (("class", grade), ("active", active)):
                if value != "unknown":
                    row = {**key, "collected_at": f"{date}T09:00:00+08:00"}
                    trial.add("assessments", **row, instrument="biopsy", item=item, value=value)


def read_cases() -> list[Case]:
    """Read the table of the document."""
    return list(_parse(TABLE.read_text(encoding="utf-8")))


def _parse(text: str) -> Iterator[Case]:
    number = 0
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if re.fullmatch(r"(I|E)\d\d[a-e]?\d?|OVERALL", cells[0]):
            number += 1
            yield Case(
                number=number, criterion=cells[0], change=cells[1], state=cells[2], remark=cells[3]
            )  # fmt: skip


def make_child(case: Case) -> Child:
    """Change the child of a case as its row says."""
    child = Child(subject_id=case.subject_id)
    for statement in case.change.split(";"):
        word, *rest = statement.split()
        if word in CHANGES:
            CHANGES[word](child, rest)
        else:
            _change_lab(child, word, rest)
    return child


def _change_lab(child: Child, test: str, words: list[str]) -> None:
    if test not in LABS and test not in ("HBVDNA", "HCVRNA"):
        message = f"{test} is no test and no other word of the table"
        raise LookupError(message)
    if words == ["none"]:
        del child.labs[test]
        return
    limit = float(words[words.index("ULN") + 1]) if "ULN" in words else None
    unit = words[1] if len(words) > 1 else "furlong"
    child.labs[test] = (words[0].replace("_", " "), unit, limit)


def _change_sledai(child: Child, words: list[str]) -> None:
    total = words[words.index("total") + 1] if "total" in words else ""
    named = [word for word in words if word in WEIGHTS]
    absent = named[named.index(words[words.index("missing") + 1]) :] if "missing" in words else []
    present = [name for name in named if name not in absent]
    child.sledai = {name: str(int(name in present)) for name in WEIGHTS if name not in absent}
    if not present:
        child.sledai = {}
    if total:
        child.sledai["total"] = total


def _change_text(name: str) -> Callable[[Child, list[str]], None]:
    def change(child: Child, words: list[str]) -> None:
        setattr(child, name, "" if words == ["none"] else words[0])

    return change


def _change_biopsy(child: Child, words: list[str]) -> None:
    active = {"active": "yes", "inactive": "no", "unknown": "unknown"}
    child.biopsy = None if words == ["none"] else (words[0], active[words[1]], words[2])


def _change_height(child: Child, words: list[str]) -> None:
    if words == ["none"]:
        del child.labs["HEIGHT"]
    else:
        child.labs["HEIGHT"], child.height_date = (words[0], "cm", None), f"{words[1]}T08:00:00+08:00"


def _change_drug(child: Child, words: list[str]) -> None:
    start, end = words[1].split("..")
    child.drugs.append((words[0], start, end))


def _change_cd19(child: Child, words: list[str]) -> None:
    positive, _, reference = words[0].partition("/")
    child.cd19 = None if words == ["none"] else (int(positive), int(reference))


def _change_attested(child: Child, words: list[str]) -> None:
    child.attested[words[0]] = words[1]


def _change_nothing(_child: Child, _words: list[str]) -> None:
    """Leave the child as it is."""


CHANGES: dict[str, Callable[[Child, list[str]], Any]] = {
    "birth": _change_text("birth"), "age": _change_text("age"), "consent": _change_text("consent"),
    "history": _change_text("history"), "ecog": _change_text("ecog"), "biopsy": _change_biopsy,
    "sledai": _change_sledai, "height": _change_height, "drug": _change_drug, "cd19": _change_cd19,
    "attest": _change_attested, "nothing": _change_nothing,
}  # fmt: skip

"""errors.md: every class of the error tree — code, meaning, what the caller does.

Found by reading the source, so that a class counts wherever it is defined. A class without
advice stops the generator, and so does advice for a class that is gone.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

from docs.pages.markdown import code, first_line, page, table

ROOT_CLASS = "TongbanError"
BRANCHES = ("RetryLater", "Fatal", "RowRejected")
BUGS = "Others"
PACKAGES = ("tongban", "connectors")

INTRO = """Every error that we raise on purpose descends from `TongbanError` (`tongban/kernel/errors.py`). `code` is
stable: it is what the command line prints first, what `hub.transfer.error_code` stores and what Airflow's retry
decision shows. A message says where, what was expected and found (never a field's value) and what to do; `context`
carries ids, counts and paths. The branch says what the caller must do:

| branch | caller | Airflow |
|---|---|---|
| `RetryLater` | call again; nothing was written, or the same key makes it harmless | up to 6 more tries, growing pauses, or the pause that the system asked for |
| `Fatal` | a person changes something first | fails at once |
| `RowRejected` | go on; the row is quarantined | — |

A bug of ours, or a library's error that nobody mapped, ends as one line with its type and place and without its
words, since those may quote a record: `internal:` on the command line, `task.broken` inside Airflow."""

ADVICE = {
    "SheetInvalid": "Use the exported file: keep its first row, write values as text, send large files in parts.",
    "NotOpen": "List the open rows (`tongban quarantine list`); the row was closed meanwhile.",
    "NoticeUnknown": "List the notices (`tongban quarantine notices`).",
    "CalendarEnded": "Look at the case's dates: a deadline beyond 2060 is a mistake in them, or in the days that an item promises.",
    "NumberClaimed": "Look who used the number first: a number of a block belongs to the window that reserved it, and to one case.",
    "MajorNotAdmitted": "Read the question in Airflow or with `bin/tongban approvals` and decide it; the older major goes on meanwhile.",
    "AnswerCodeUnknown": "Ask the department what its new code means and add it to `codes` of the compare; no answer was stored.",
    "AnswersMissing": "Show the department its call's receipt number: not every question has exactly one answer; declare `missing` where it leaves out what it has no record of.",
    "AnswerCountInvalid": "Show the kept page to the department: a total below zero or not whole cannot be right.",
    "AnswerListMissing": "Look at the kept page: an error that no layer of `success` reads, or another name of the list.",
    "AnswerNamesRepeated": "Show the kept page to the department: which of the two fields counts is not ours to guess.",
    "AnswerNotJson": "Look at the kept page: cut on its way, or another format than `answers` says.",
    "AnswerNotTable": "Look at the kept page; compare `csv` of the interface with the delimiter and header that come.",
    "CertificateExpired": "The department must renew its certificate; if it just did, check our clock.",
    "CertificateOfAnotherHost": "Use the host name of the certificate in the connection's address.",
    "CertificateUntrusted": "Give the issuer's certificate as `ca_file` in the connection, after checking it by telephone.",
    "LinkLeavesHost": "Tell the department; behind a gateway it must write the gateway's address, or relative links.",
    "OurCertificateRefused": "Give `client_cert_file` and `client_key_file` in the connection, or renew them with the department.",
    "PurposeRefused": "Use one of the named purposes; another one needs the department's consent and a line in the system's YAML.",
    "QuestionsInvalid": "Correct the named rows of the file; nothing was asked.",
    "RowsParked": "See to the target (`tongban receipt` shows one record), then let the rows be queued again.",
    "MassDelete": "Ask the department whether so many records are really gone; then approve it (`tongban approvals`).",
    "PageShort": "Tell the department: a page says another number of rows than it has.",
    "PagingNeverStill": "Read in quieter hours or in smaller windows (`max_days`).",
    "PagingRepeats": "Check the placeholder in the call; if it is right, tell the department that its paging stands still.",
    "RowsMissing": "Ask the department which of both is wrong, its count or its pages; nothing is stored.",
    "TotalChanged": "Declare `shifting: total` or `pass` for this list.",
    "WindowTooFull": "Ask the department to raise its limit, or for key-set paging; the window cannot be smaller.",
    "AnswerCharsetWrong": "Correct the interface's `charset`, or show the kept page to the department.",
    "AnswerHasDtd": "The department must leave the DTD out; look at the kept page, it may be an attack.",
    "AnswerIsWebPage": "Look at the kept page: maintenance, a proxy's notice, or a wrong `path`.",
    "AnswerNoEnvelope": "Look at the kept page: this address does not speak SOAP.",
    "AnswerNotXml": "Look at the kept page: cut on its way, or written by hand without escaping.",
    "AnswerReferencesBroken": "Show the kept page to the department: its references do not resolve.",
    "AnswerSignatureWrong": "Compare the server's certificate with the connection's; if it is right, the answer was changed.",
    "AnswerTooLarge": "Ask smaller pages (`size`) or raise `max_answer_mb`; the head of the answer is kept.",
    "AnswerUnreadable": "Look at the landed page with the department; check the interface's `charset`.",
    "ApprovalClosed": "Look at `tongban approvals --all`: somebody decided it already. Nothing was changed.",
    "AuthenticationRefused": "Compare login, secret and clock with the department; renew the connection.",
    "BatchFrozen": "Look at the drift in the message; correct the mapping and load the landing again, or approve it (`tongban approvals`).",
    "BatchRefused": "Read the findings on the transfer's page; settle them with the department or change the contract; replay the landing.",
    "CertificateInvalid": "Have the certificate renewed, or give its issuer in the connection.",
    "ChunkDiffers": "Code, mapping or contract changed between two tries of one load: pull the window again.",
    "ChangeRefused": "Undo the edit, or give the contract the version that is named; a major step is a new file beside the old one.",
    "ConfigInvalid": "Correct the file at the line that is named; `bin/tongban check` finds the others.",
    "CountsUnbalanced": "A bug of ours: nothing of the chunk was written. Report the code and the transfer id.",
    "CredentialsMissing": "Create the connection, or add the field that is named.",
    "DatabaseRefused": "Names a constraint: a bug of ours, report it. Names a right: give the hub's role its schemas.",
    "DatabaseUnavailable": "Wait; if it stays, look at PostgreSQL.",
    "DeliveryUnclear": "Push again: the same key makes a repetition harmless.",
    "EnvelopeBroken": "A stored ciphertext was changed or moved. Restore it, and find out who did it.",
    "EvidenceBroken": "The log was changed: keep the database as it is and call the auditor.",
    "EvidenceRolledBack": "The database is an old state or was cut off: find out who did it; after a restore on purpose, move `heads.jsonl` aside and keep it.",
    "SignerAbsent": "Install the package that signs with the algorithm, or unset `TONGBAN_SEAL_ALGORITHM`.",
    "FencedOff": "Nothing: another worker has taken over and does the work.",
    "InterfaceChanged": "Compare the new WSDL with the pinned one; adapt mapping and system, then pin the new hash.",
    "KeyUnknown": "Restore the key ring folder that was in use when the value was sealed.",
    "LandingMissing": "The landing was removed or never completed: pull the window again.",
    "LeaseHeld": "Wait: the other load ends, or its lease runs out.",
    "KeyJobRunning": "Let the command that is named finish its job; it goes on where it was.",
    "OldKeyInUse": "Restart the workers, so that they see the folder of keys, and rotate again; nothing is lost meanwhile.",
    "KeyShredded": "Nothing: the key was destroyed by order. Its certificate says when, and what it sealed.",
    "MasterKeyWrong": "Give the master key with which the key ring was made.",
    "NumberUnusable": "Type a resident ID (15 or 18), a credit code (18) or a real-estate unit number (28).",
    "OutsideBudget": "Wait for the allowed hours, or for the breaker to close.",
    "PagingBroken": "Tell the department: its pages contradict each other. What landed stays.",
    "PortTaken": "End the process that is named, or set TONGBAN_PORT_BASE.",
    "RateLimited": "Pause as long as `retry_after_s` says.",
    "StackBroken": "Read the log file that is named.",
    "SystemRefused": "Look the department's code up in its interface note.",
    "SystemUnavailable": "Call again later; nothing took effect.",
    "TaskBroken": "Report the type and the place; `TONGBAN_DEBUG=1` shows the words where all data is synthetic.",
    "TransferClosed": "Begin a new transfer: this one has ended.",
    "UnexpectedlyEmpty": "Ask the department; if zero is right, set `never_zero: false`.",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ErrorClass:
    """One class as its source says it."""

    name: str
    parent: str
    code: str
    meaning: str
    module: str


def render(root: Path) -> str:
    """Write the page.

    Raises:
        SystemExit: A class has no advice, or advice is left over.
    """
    found = error_classes(root)
    leaves = [item for name, item in found.items() if name not in {ROOT_CLASS, *BRANCHES}]
    missing = {item.name for item in leaves} ^ set(ADVICE)
    if missing:
        raise SystemExit(f"docs/pages/errors.py: ADVICE and the code differ in {sorted(missing)}")
    parts = []
    for branch in (*BRANCHES, BUGS):
        below = sorted((i for i in leaves if branch_of(i, found) == branch), key=lambda i: i.code)
        own = found.get(branch)
        says = f"{code(own.code)} — {own.meaning}" if own else "Directly below the root."
        parts.append(f"## {branch}\n\n{says}")
        rows = [(code(i.code), i.name, i.meaning, ADVICE[i.name], code(i.module)) for i in below]
        if rows:
            parts.append(table(("code", "class", "meaning", "what to do", "defined in"), rows))
    top = found[ROOT_CLASS]
    return page("Errors", INTRO, *parts, f"The root itself is {code(top.code)}: {top.meaning}")


def error_classes(root: Path) -> dict[str, ErrorClass]:
    """Read every class below `TongbanError` from the source, by name."""
    waiting: list[ErrorClass] = []
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            waiting += _classes_in(path, root)
    found: dict[str, ErrorClass] = {}
    grown = True
    while grown:
        new = {
            item.name: item
            for item in waiting
            if item.name not in found and (item.name == ROOT_CLASS or item.parent in found)
        }
        found |= new
        grown = bool(new)
    return found


def branch_of(item: ErrorClass, found: dict[str, ErrorClass]) -> str:
    """Give the branch that a class descends from."""
    while item.name not in {*BRANCHES, ROOT_CLASS}:
        item = found[item.parent]
    return BUGS if item.name == ROOT_CLASS else item.name


def _classes_in(path: Path, root: Path) -> list[ErrorClass]:
    module = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
    classes = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef) and node.bases:
            parent = ast.unparse(node.bases[0])
            meaning = first_line(ast.get_docstring(node))
            classes.append(ErrorClass(node.name, parent, _code(node), meaning, module))
    return classes


def _code(node: ast.ClassDef) -> str:
    """Give the constant that a class assigns to `code`, or nothing."""
    for line in node.body:
        targets = line.targets if isinstance(line, ast.Assign) else []
        if isinstance(line, ast.AnnAssign):
            targets = [line.target]
        if any(isinstance(t, ast.Name) and t.id == "code" for t in targets):
            value = line.value  # type: ignore[attr-defined]
            return str(value.value) if isinstance(value, ast.Constant) else ""
    return ""

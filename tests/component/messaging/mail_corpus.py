"""Mails to one reply address as people, machines, strangers and broken programs write them, and what has to
become of each. `{me}` is the verified address of whose reply address it is, `{to}` the reply address.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

EVE = "eve@evil.example"
EVIL = "EVIL"
"""Stands in every mail that must not be read by anybody."""


@dataclass(frozen=True)
class Case:
    """`code` is what SMTP says, `reason` what is recorded, `posted` what the other side reads."""

    name: str
    content: bytes
    code: int = 250
    reason: str = ""
    posted: str = ""
    sender: str = "{me}"


def raw(body: str | bytes, *headers: str, author: str = "{me}") -> bytes:
    """A mail with these headers and the usual ones."""
    names = {header.partition(":")[0].lower() for header in headers}
    usual = {"from": f"From: {author}", "to": "To: {to}", "subject": "Subject: Re: New message"}
    lines = [*headers, *(line for name, line in usual.items() if name not in names)]
    data = body if isinstance(body, bytes) else body.replace("\n", "\r\n").encode()
    return "\r\n".join(line for line in lines if not line.endswith(": -")).encode() + b"\r\n\r\n" + data


def parts(*inner: bytes, kind: str = "mixed", headers: Sequence[str] = ()) -> bytes:
    """A mail of several parts."""
    body = b"".join(b"--edge\r\n" + each + b"\r\n" for each in inner) + b"--edge--\r\n"
    return raw(body, *headers, f'Content-Type: multipart/{kind}; boundary="edge"')


def part(body: str | bytes, kind: str = "text/plain; charset=utf-8", *headers: str) -> bytes:
    """One of them."""
    data = body if isinstance(body, bytes) else body.replace("\n", "\r\n").encode()
    return "\r\n".join((f"Content-Type: {kind}", *headers)).encode() + b"\r\n\r\n" + data


def file(data: bytes, name: str, kind: str = "application/pdf") -> bytes:
    """A file."""
    lines = base64.encodebytes(data).replace(b"\n", b"\r\n")
    said = (f'Content-Disposition: attachment; filename="{name}"', "Content-Transfer-Encoding: base64")
    return part(lines, kind, *said)


def nested(depth: int) -> bytes:
    """Parts inside parts inside parts."""
    inner = part(EVIL)
    for number in range(depth):
        edge = f"e{number}".encode()
        head = b'Content-Type: multipart/mixed; boundary="' + edge + b'"\r\n\r\n'
        inner = head + b"--" + edge + b"\r\n" + inner + b"\r\n--" + edge + b"--\r\n"
    return b"From: {me}\r\nTo: {to}\r\nSubject: nested\r\n" + inner


def report(status: str, address: str, action: str = "failed") -> bytes:
    """What a mail server says of a mail that it could not deliver."""
    said = (
        "Reporting-MTA: dns; mx.mail.example\n\n"
        f"Final-Recipient: rfc822; {address}\nAction: {action}\nStatus: {status}\n"
    )
    return parts(
        part("It could not be delivered."),
        part(said, "message/delivery-status"),
        part("Subject: New message", "text/rfc822-headers"),
        kind="report; report-type=delivery-status",
        headers=("From: MAILER-DAEMON@mx.mail.example", f"Message-ID: <{status}.{address}>"),
    )


def forged() -> list[Case]:
    """Somebody who is not who he says."""
    unverified: dict[str, int | str] = {"code": 550, "reason": "SENDER_UNVERIFIED"}
    names = {
        "both are another's": (raw(EVIL, author=EVE), EVE),
        "the envelope is another's": (raw(EVIL), EVE),
        "the header is another's": (raw(EVIL, author=EVE), "{me}"),
        "the name is his, the address another's": (raw(EVIL, author='"{me}" <' + EVE + ">"), "{me}"),
        "two authors in one header": (raw(EVIL, author="{me}, " + EVE), "{me}"),
        "two headers": (raw(EVIL, "From: {me}", f"from: {EVE}"), "{me}"),
        "nobody at all": (raw(EVIL, "From: -"), "{me}"),
        "an address inside an address": (raw(EVIL, author=f"<{{me}}@{EVE}>"), "{me}"),
        "a group": (raw(EVIL, author="friends: {me};"), "{me}"),
        "a sender for another": (raw(EVIL, f"From: {EVE}", "Sender: {me}"), "{me}"),
        "an answer-to for another": (raw(EVIL, f"From: {EVE}", "Reply-To: {me}"), "{me}"),
        "a domain that ends alike": (raw(EVIL, author="otto@evil-mail.example"), "otto@evil-mail.example"),
        "threading of the other conversation": (
            raw(EVIL, f"From: {EVE}", "In-Reply-To: {mail}", "References: {mail}"),
            EVE,
        ),
    }
    return [Case(name, content, sender=by, **unverified) for name, (content, by) in names.items()]  # type: ignore[arg-type]


def automatic() -> list[Case]:
    """What machines write: taken, recorded, never posted."""
    headers = {
        "AUTO_SUBMITTED": ("Auto-Submitted: auto-replied", "Auto-Submitted: auto-generated; owner"),
        "PRECEDENCE": ("Precedence: bulk", "Precedence: auto_reply", "Precedence: LIST"),
        "MACHINE_HEADER": ("List-Id: <owls.example>", "X-Autoreply: yes", "List-Unsubscribe: <x:y>"),
    }
    cases = [
        Case(header, raw(EVIL, header), reason=reason) for reason, each in headers.items() for header in each
    ]
    subjects = (
        "Automatic reply: New message",
        "Out of office: away until May",
        "Automatische Antwort: Neue Nachricht",
        "Abwesenheitsnotiz",
        "=?utf-8?q?R=C3=A9ponse_automatique?= : Nouveau message",
        "Absence du bureau",
        "Risposta automatica: Nuovo messaggio",
        "Fuori sede: Otto",
        "=?iso-8859-1?q?Respuesta_autom=E1tica:?= Nuevo mensaje",
        "Fuera de la oficina",
    )
    cases += [Case(subject, raw(EVIL, f"Subject: {subject}"), reason="ABSENCE") for subject in subjects]
    cases.append(Case("no sender", raw(EVIL), reason="NULL_SENDER", sender=""))
    cases.append(Case("somebody read it", parts(part(EVIL), kind="report; report-type=dn"), reason="REPORT"))
    loop = raw(EVIL, *["Received: from a by b"] * 40)
    cases.append(Case("in circles", loop, reason="TOO_MANY_HOPS"))
    return cases


def hostile() -> list[Case]:
    """What is built to break the reader, or the server behind it."""
    bad: dict[str, int | str] = {"code": 554, "reason": "MAIL_UNREADABLE"}
    many = [part("x")] * 1_001
    names = {
        "a line ends by LF": raw(b"EVIL\nEVIL\r\n"),
        "smuggled by LF": raw(b"x\n.\nMAIL FROM:<{me}>\r\nRCPT TO:<{to}>\r\nDATA\r\nEVIL\r\n"),
        "smuggled by LF, CRLF": raw(b"x\n.\r\nMAIL FROM:<{me}>\r\nEVIL\r\n"),
        "smuggled by CR": raw(b"x\r.\rMAIL FROM:<{me}>\r\nEVIL\r\n"),
        "smuggled by CRLF, CR": raw(b"x\r\n.\rMAIL FROM:<{me}>\r\nEVIL\r\n"),
        "nested": nested(60),
        "nested deeper": nested(600),
        "thousands of parts": parts(*many),
        "thousands of headers": raw(EVIL, *[f"X-{number}: {EVIL}" for number in range(600)]),
        "a long description": parts(part(EVIL, "text/plain;" + ' x="y";\r\n' * 300)),
    }
    return [Case(name, content, **bad) for name, content in names.items()]  # type: ignore[arg-type]


def refused() -> list[Case]:
    """What SendMessage refuses as well."""
    no_pdf: dict[str, int | str] = {"code": 554, "reason": "ATTACHMENT_NOT_PDF"}
    encoded = zlib.compress(EVIL.encode())
    return [
        Case("nothing", raw(""), 554, "EMPTY_BODY"),
        Case("blank", raw(" \n\t\n"), 554, "EMPTY_BODY"),
        Case("a quotation alone", raw("> EVIL\n> EVIL\n"), 554, "EMPTY_BODY"),
        Case("a script alone", raw("<script>EVIL</script>", "Content-Type: text/html"), 554, "EMPTY_BODY"),
        Case("far too long", raw(f"{EVIL} {'owls ' * 15}\n" * 400), 554, "VALIDATION_FAILED"),
        Case("a program", parts(part(EVIL), file(b"MZ\x90", "a.exe")), **no_pdf),  # type: ignore[arg-type]
        Case("a program as a PDF", parts(part(EVIL), file(b"MZ\x90", "a.pdf")), **no_pdf),  # type: ignore[arg-type]
        Case("a PDF by another name", parts(part(EVIL), file(b"%PDF-1.4 %%EOF", "a")), **no_pdf),  # type: ignore[arg-type]
        Case("a mail in a mail", parts(part(EVIL), part(raw(EVIL), "message/rfc822")), **no_pdf),  # type: ignore[arg-type]
        Case("an invitation", parts(part(EVIL), part("BEGIN", "application/ics")), **no_pdf),  # type: ignore[arg-type]
        Case("more than ten files", parts(*[file(b"x", "a.pdf")] * 11), 554, "MAIL_UNREADABLE"),
        Case("packed", parts(part(EVIL), file(encoded, "x.pdf")), **no_pdf),  # type: ignore[arg-type]
    ]


def posted() -> list[Case]:
    """What people write, however their programs put it."""
    html = "<p>Five <b>owls</b>,<br>six&nbsp;owls</p><script>EVIL</script><blockquote>EVIL</blockquote>"
    both = (part("Plain owls."), part("<b>EVIL</b>", "text/html"))
    picture = part("R0lGODlh", "image/gif", "Content-ID: <logo>", "Content-Disposition: inline")
    related = part(
        b"--in\r\n"
        + part("<p>Owls with a logo</p>", "text/html")
        + b"\r\n--in\r\n"
        + picture
        + b"\r\n--in--",
        'multipart/related; boundary="in"',
    )
    eight, qp = "Content-Transfer-Encoding: 8bit", "Content-Transfer-Encoding: quoted-printable"
    said: dict[str, tuple[bytes, str]] = {
        "English": (raw("One owl.\n\nOn Mon, 1 Jun 2026 at 14:00, Parley wrote:\n> EVIL\n"), "One owl."),
        "German": (raw("Eine Eule.\n\nAm 01.06.2026 um 14:00 schrieb Parley:\n> EVIL"), "Eine Eule."),
        "French": (raw("Un hibou.\n\nLe 1 juin 2026, Parley a écrit :\n> EVIL", eight), "Un hibou."),
        "Italian": (raw("Un gufo.\n\nIl giorno 1 giu 2026 Parley\nha scritto:\n\nEVIL"), "Un gufo."),
        "Spanish": (raw("Un búho.\n\nEl 1 jun 2026, Parley escribió:\n> EVIL", eight), "Un búho."),
        "Outlook": (raw("Owl two.\n\n____________________\nFrom: Parley\nSent: today\n\nEVIL"), "Owl two."),
        "signature": (raw("Owl three.\n-- \nOtto, +49 30 EVIL"), "Owl three."),
        "between": (raw("On 1 June Parley wrote:\n> EVIL?\nOwl four.\n> EVIL!\nYes."), "Owl four.\nYes."),
        "HTML": (raw(html, "Content-Type: text/html; charset=utf-8"), "Five owls,\nsix owls"),
        "both": (parts(*both, kind="alternative"), "Plain owls."),
        "logo": (parts(related), "Owls with a logo"),
        "signed": (parts(part("Owl s."), part("x", "application/pgp-signature")), "Owl s."),
        "unknown charset": (raw("Owl u.", "Content-Type: text/plain; charset=klingon-8"), "Owl u."),
        "a codec as charset": (raw("Owl z.", "Content-Type: text/plain; charset=zlib_codec"), "Owl z."),
        "escapes as charset": (raw(r"\u0045", "Content-Type: text/plain; charset=unicode_escape"), r"\u0045"),
        "another charset": (raw(b"B\xfaho", "Content-Type: text/plain; charset=latin1", eight), "Búho"),
        "broken characters": (raw(b"Owl \xff\xfe.", eight), "Owl \ufffd\ufffd."),
        "broken base64": (
            raw("T3dsIGI2NA=", "Content-Transfer-Encoding: base64", "Content-Type: text/plain"),
            "Owl b6",
        ),
        "broken quoting": (
            raw("Owl =C3=BC =ZZ q=", qp, "Content-Type: text/plain; charset=utf-8"),
            "Owl ü =ZZ q",
        ),
        "unseen characters": (raw(b"Owl\0\x07 n.", eight), "Owl n."),
        "no end of the parts": (
            raw("--edge\n\nOwl e.", "Content-Type: multipart/mixed; boundary=edge"),
            "Owl e.",
        ),
        "a dot alone": (raw("Owl d.\n.\n..\nend"), "Owl d.\n.\n..\nend"),
        "copies": (raw("Owl c.", "Cc: {other}, eve@evil.example", "Bcc: {other}"), "Owl c."),
        "forged threading": (raw("Owl t.", "In-Reply-To: {mail}", "References: {mail}"), "Owl t."),
        "commands within": (raw("Owl m.\nRCPT TO:<{other}>\nDATA"), "Owl m.\nRCPT TO:<{other}>\nDATA"),
    }
    return [Case(name, content, posted=text) for name, (content, text) in said.items()]


CASES = (*forged(), *automatic(), *hostile(), *refused(), *posted())

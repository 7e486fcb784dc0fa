"""Writes mails: what they say in the recipient's language, as text and as HTML, with the headers they need.

A mail says that something happened and links to it. It quotes nothing but the recipient's own message, and
holds of the other side what it is shown as, never an address.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import quote, urlencode

from services.messaging.adapters.mail_languages import Language, language
from services.messaging.domain.magic_link import ABOUT_INQUIRIES
from services.messaging.domain.mail import ITEM_LIMIT, Item, Mail, Purpose
from services.messaging.domain.notification import MESSAGE_RECEIVED, MESSAGE_SENT

CHOICES_PATH = "/profile"
VERIFY_PATH = "/verify-email"
ANSWER_PATH = "/act"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that a mail says; `detail` is its amount and time, `quoted` the recipient's own words."""

    text: str
    detail: str = ""
    quoted: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """What a mail says about one conversation. `answers` are links by which its reader answers at once, with
    their labels, `warning` what he has to know of them.
    """

    heading: str
    lines: Sequence[Line]
    label: str
    link: str
    answers: Sequence[tuple[str, str]] = ()
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """A whole mail in words."""

    subject: str
    greeting: str
    sections: Sequence[Section]
    closing: str
    footer: Sequence[str]
    choices: tuple[str, str] | None


class MailWriter:
    """Knows who sends, and where the links lead: `public_url` is the site where people work with Parley."""

    def __init__(self, *, sender_name: str, sender: str, public_url: str) -> None:
        self._sender = Address(sender_name, addr_spec=sender)
        self._domain = sender.rpartition("@")[2]
        self._url = public_url.rstrip("/")

    def write(self, mail: Mail) -> EmailMessage:
        """The mail, ready to be sent; the same mail has the same Message-ID."""
        words = language(mail.recipient.language)
        is_proof = mail.purpose is Purpose.VERIFICATION
        letter = self._proof(mail, words) if is_proof else self._news(mail, words)
        message = EmailMessage(policy=policy.SMTP)
        message["From"] = self._sender
        message["To"] = Address(addr_spec=mail.recipient.email)
        if mail.reply_to:
            message["Reply-To"] = Address(addr_spec=mail.reply_to)
        message["Subject"] = letter.subject
        message["Date"] = format_datetime(mail.create_time)
        message["Message-ID"] = f"<{mail.id}@{self._domain}>"
        # Whoever answers by machine leaves these alone: RFC 3834, and what Exchange reads instead.
        message["Auto-Submitted"] = "auto-generated"
        message["X-Auto-Response-Suppress"] = "All"
        if not is_proof:
            message["List-Unsubscribe"] = f"<{self._url}{CHOICES_PATH}>"
        message.set_content(as_text(letter))
        message.add_alternative(as_html(letter, words.code), subtype="html")
        # Last: setting the content takes away what described the one before.
        message["Content-Language"] = words.code
        return message

    def _proof(self, mail: Mail, words: Language) -> Letter:
        # In the fragment: it reaches neither a server's log nor another site as a referrer.
        proof = urlencode({"profile": mail.recipient.name, "token": mail.token}, quote_via=quote)
        section = Section(
            words.say("verify_line"), (), words.say("verify_button"), f"{self._url}{VERIFY_PATH}#{proof}"
        )
        return Letter(
            subject=words.say("verify_subject"),
            greeting=_greeting(mail, words),
            sections=(section,),
            closing=words.say("verify_closing"),
            footer=(words.say("automatic"),),
            choices=None,
        )

    def _news(self, mail: Mail, words: Language) -> Letter:
        groups: dict[str, list[Item]] = {}
        for item in mail.items[:ITEM_LIMIT]:
            groups.setdefault(item.conversation, []).append(item)
        sections = [self._section(mail, conversation, items, words) for conversation, items in groups.items()]
        closing = words.say("closing")
        if len(mail.items) > ITEM_LIMIT:
            closing = f"{words.say('more', count=len(mail.items) - ITEM_LIMIT)} {closing}"
        return Letter(
            subject=_subject(mail, words),
            greeting=_greeting(mail, words),
            sections=sections,
            closing=closing,
            footer=(words.say("answerable" if mail.reply_to else "automatic"), words.say("reason")),
            choices=(words.say("choices"), f"{self._url}{CHOICES_PATH}"),
        )

    def _section(self, mail: Mail, conversation: str, items: Sequence[Item], words: Language) -> Section:
        answers = [
            # In the fragment, as every token.
            (
                words.say("answer_inquiry" if item.topic in ABOUT_INQUIRIES else "answer_offer"),
                f"{self._url}{ANSWER_PATH}#link={item.link}",
            )
            for item in items
            if item.link
        ]
        return Section(
            words.say("about", counterpart=items[0].counterpart or words.say("buyer")),
            _lines(mail, items, words),
            words.say("open"),
            f"{self._url}/{conversation}",
            answers,
            words.say("answer_warning") if answers else "",
        )


def _greeting(mail: Mail, words: Language) -> str:
    name = mail.recipient.display_name
    return words.say("greeting", name=name) if name else words.say("greeting_unnamed")


def _subject(mail: Mail, words: Language) -> str:
    if mail.purpose is Purpose.DIGEST:
        return words.say("subject_digest", count=len(mail.items))
    first = mail.items[0]
    topics = {item.topic for item in mail.items}
    title = words.title(first.topic)
    if len(topics) == 1 and len(mail.items) == 1:
        return (
            words.say("subject", title=title, counterpart=first.counterpart) if first.counterpart else title
        )
    # What happened says more than that somebody wrote beside it.
    happened = [item for item in mail.items if item.topic not in (MESSAGE_RECEIVED, MESSAGE_SENT)]
    if len(happened) == 1:
        title = words.title(happened[0].topic)
    elif not happened and topics == {MESSAGE_RECEIVED}:
        title = words.say("messages_many", count=len(mail.items)).rstrip(".")
    else:
        return words.say(
            "subject_many", count=len(mail.items), counterpart=first.counterpart or words.say("buyer")
        )
    return words.say("subject", title=title, counterpart=first.counterpart) if first.counterpart else title


def _lines(mail: Mail, items: Sequence[Item], words: Language) -> list[Line]:
    lines: list[Line] = []
    received = [item for item in items if item.topic == MESSAGE_RECEIVED]
    zone = mail.recipient.zone
    for item in items:
        if item.topic == MESSAGE_RECEIVED:
            continue
        details = [words.time(item.time, zone)]
        if item.amount is not None:
            details.insert(0, words.amount(item.amount))
        lines.append(Line(words.sentence(item.topic), " · ".join(details), item.text))
    if received:
        many = len(received) > 1
        text = words.say("messages_many", count=len(received)) if many else words.sentence(MESSAGE_RECEIVED)
        lines.append(Line(text, words.time(received[-1].time, zone)))
    return lines


def as_text(letter: Letter) -> str:
    """The mail for whoever reads plain text."""
    parts = [letter.greeting]
    for section in letter.sections:
        lines = [section.heading]
        for line in section.lines:
            lines.append(f"- {line.text}" + (f" ({line.detail})" if line.detail else ""))
            lines += [f"  > {quoted}" for quoted in line.quoted.splitlines()]
        lines.append(f"{section.label}: {section.link}")
        lines += [f"{label}: {link}" for label, link in section.answers]
        lines += [section.warning] if section.warning else []
        parts.append("\n".join(lines))
    parts.append(letter.closing)
    footer = list(letter.footer)
    if letter.choices is not None:
        footer.append(f"{letter.choices[0]}: {letter.choices[1]}")
    # The mark by which readers of mail tell a signature from the text.
    parts.append("-- \n" + "\n".join(footer))
    return "\n\n".join(parts) + "\n"


_STYLE = """
body{margin:0;background:#f3f4f6;color:#1b1f24;font:16px/1.5 -apple-system,"Segoe UI",Roboto,Arial,sans-serif}
.card{max-width:34rem;margin:0 auto;padding:1.5rem;background:#fff}
.item{margin:.75rem 0;padding-left:.75rem;border-left:3px solid #0b5cad}
.detail{color:#5b6470;font-size:.875rem}
blockquote{margin:.5rem 0 0;color:#3b424b;white-space:pre-wrap;overflow-wrap:anywhere}
.open{display:inline-block;margin:.5rem 0 1rem;padding:.6rem 1.1rem;border-radius:.4rem;background:#0b5cad;
color:#fff;text-decoration:none}
.answer{display:inline-block;padding:.5rem 1rem;border:2px solid #0b5cad;border-radius:.4rem;color:#0b5cad;
text-decoration:none}
.foot{margin-top:1.5rem;padding-top:.75rem;border-top:1px solid #dfe3e8;color:#5b6470;font-size:.8125rem}
""".strip()


def as_html(letter: Letter, code: str) -> str:
    """The same with buttons. It loads nothing, so that nobody learns that it was opened."""
    body = [f"<p>{html.escape(letter.greeting)}</p>"]
    for section in letter.sections:
        body.append(f"<p>{html.escape(section.heading)}</p>")
        body += [_item_html(line) for line in section.lines]
        body.append(
            f'<p><a class="open" href="{html.escape(section.link)}">{html.escape(section.label)}</a></p>'
        )
        body += [
            f'<p><a class="answer" href="{html.escape(link)}">{html.escape(label)}</a></p>'
            for label, link in section.answers
        ]
        if section.warning:
            body.append(f'<p class="detail">{html.escape(section.warning)}</p>')
    body.append(f"<p>{html.escape(letter.closing)}</p>")
    footer = " ".join(html.escape(line) for line in letter.footer)
    if letter.choices is not None:
        label, link = letter.choices
        footer += f' <a href="{html.escape(link)}">{html.escape(label)}</a>'
    body.append(f'<p class="foot">{footer}</p>')
    return (
        f'<!doctype html>\n<html lang="{code}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{html.escape(letter.subject)}</title><style>{_STYLE}</style></head>\n"
        f'<body><div class="card">\n{chr(10).join(body)}\n</div></body></html>\n'
    )


def _item_html(line: Line) -> str:
    detail = f'<br><span class="detail">{html.escape(line.detail)}</span>' if line.detail else ""
    quoted = f"<blockquote>{html.escape(line.quoted)}</blockquote>" if line.quoted else ""
    return f'<div class="item">{html.escape(line.text)}{detail}{quoted}</div>'

"""A strict little mail server that may refuse, hang, or cut the line at the worst moment.

``mood`` says how it answers the next mails: ``ok``, ``refuse`` (550 for the recipient), ``later``
(451), ``cut`` (takes the whole text and closes without an answer), ``away`` (closes at once).
"""

from __future__ import annotations

import socketserver
import threading
from dataclasses import dataclass, field
from typing import Self


@dataclass
class Taken:
    """One mail as it arrived."""

    to: str
    text: str

    @property
    def message_id(self) -> str:
        for line in self.text.split("\n\n")[0].splitlines():
            if line.lower().startswith("message-id:"):
                return line.partition(":")[2].strip()
        return ""


@dataclass
class MailServer:
    """Listens on a free port of this machine while the block runs."""

    mood: str = "ok"
    taken: list[Taken] = field(default_factory=list)

    def __enter__(self) -> Self:
        outer = self

        class Session(socketserver.StreamRequestHandler):
            def say(self, line: str) -> None:
                self.wfile.write(f"{line}\r\n".encode())

            def handle(self) -> None:
                if outer.mood == "away":
                    return
                self.say("220 fake ESMTP")
                to = ""
                while line := self.rfile.readline():
                    word = line.decode("ascii").strip()
                    verb = word.upper().partition(":")[0]
                    if verb.startswith(("EHLO", "HELO")):
                        self.say("250 fake")
                    elif verb == "MAIL FROM":
                        self.say("250 ok")
                    elif verb == "RCPT TO":
                        to = word[word.index("<") + 1 : word.index(">")]
                        codes = {"refuse": "550 no such person", "later": "451 busy"}
                        self.say(codes.get(outer.mood, "250 ok"))
                    elif verb == "DATA":
                        self.say("354 go on")
                        outer.taken.append(Taken(to, self.body()))
                        if outer.mood == "cut":
                            return
                        self.say("250 taken")
                    elif verb == "RSET":
                        self.say("250 ok")
                    elif verb == "QUIT":
                        self.say("221 bye")
                        return
                    else:
                        self.say("502 what?")

            def body(self) -> str:
                lines = []
                while (line := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(line.decode().rstrip("\r\n").removeprefix("."))
                return "\n".join(lines)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self._server = Server(("127.0.0.1", 0), Session)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

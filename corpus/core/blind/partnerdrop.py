"""Exchange of order files with a trading partner over FTP, with a report by mail.

What the partner has put into ``out`` is fetched, checked and kept packed; what lies in the local outbox goes to
``in`` under a temporary name, and gets its own name when it is complete.
"""

import contextlib
import ftplib
import gzip
import hashlib
import logging
import os
import smtplib
from email.message import EmailMessage

logger = logging.getLogger('partnerdrop')

BLOCK = 8192
TIMEOUT = 15


class DropError(Exception):
    pass


class PartnerSite(object):
    """A login at the partner's server; connects when it is made."""

    def __init__(self, host, port, user, secret):
        ftp = ftplib.FTP(timeout=TIMEOUT)
        try:
            ftp.connect(host, port)
            ftp.login(user, secret)
            ftp.voidcmd('TYPE I')
        except ftplib.error_perm as exc:
            ftp.close()
            raise DropError('%s: %s' % (host, exc))
        except BaseException:
            ftp.close()
            raise
        self._ftp = ftp

    def close(self):
        try:
            self._ftp.quit()
        except ftplib.all_errors as exc:
            logger.debug('quit: %s', exc)
        finally:
            self._ftp.close()

    def names(self, folder):
        try:
            return sorted(os.path.basename(name) for name in self._ftp.nlst(folder))
        except ftplib.error_perm as exc:
            if str(exc).startswith('550'):  # some servers say so of an empty folder
                return []
            raise

    def blocks(self, path):
        """The content of a remote file, piece by piece."""
        data = self._ftp.transfercmd('RETR ' + path)
        try:
            while True:
                block = data.recv(BLOCK)
                if not block:
                    break
                yield block
        finally:
            data.close()
        self._ftp.voidresp()

    def fetch(self, path, target):
        """Keep a remote file packed; its digest, or None if there is nothing in it."""
        digest, size = hashlib.sha256(), 0
        draft = target + '.part'
        packed = gzip.open(draft, 'wb')
        try:
            with contextlib.closing(self.blocks(path)) as blocks:
                for block in blocks:
                    packed.write(block)
                    digest.update(block)
                    size += len(block)
        finally:
            packed.close()
        if not size:
            os.unlink(draft)
            return None
        os.replace(draft, target)
        return digest.hexdigest()

    def deliver(self, source, folder):
        name = os.path.basename(source)
        with open(source, 'rb') as handle:
            self._ftp.storbinary('STOR %s/%s.tmp' % (folder, name), handle, BLOCK)
        self._ftp.rename('%s/%s.tmp' % (folder, name), '%s/%s' % (folder, name))

    def remove(self, path):
        self._ftp.delete(path)


def mail_report(host, port, lines):
    """Tell the office what has been moved; False if the mail was refused."""
    message = EmailMessage()
    message['Subject'] = 'Exchange: %d files' % len(lines)
    message['From'] = message['To'] = 'office@example.org'
    message.set_content('\n'.join(lines) + '\n')
    server = smtplib.SMTP(timeout=TIMEOUT)
    try:
        server.connect(host, port)
        server.ehlo_or_helo_if_needed()
        if server.has_extn('starttls'):
            server.starttls()
        try:
            server.send_message(message)
        except smtplib.SMTPRecipientsRefused as exc:
            logger.warning('report refused: %s', exc)
            return False
        server.quit()
    finally:
        server.close()
    return True


def exchange(site, inbox, outbox):
    """Fetch and deliver over an open site; a line for each file."""
    lines = []
    for name in site.names('out'):
        digest = site.fetch('out/' + name, os.path.join(inbox, name + '.gz'))
        if digest is None:
            lines.append('empty %s' % name)
            continue
        site.remove('out/' + name)
        lines.append('in    %s %s' % (name, digest[:12]))
    with os.scandir(outbox) as entries:
        for entry in entries:
            if not entry.is_file() or entry.name.startswith('.'):
                continue
            site.deliver(entry.path, 'in')
            os.unlink(entry.path)
            lines.append('out   %s' % entry.name)
    return lines

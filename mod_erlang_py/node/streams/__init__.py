"""The bytes of a link, whatever carries them; nobody above knows which it is.

stream.py       what all of them do
tcp.py          plain TCP
tls.py          TLS over TCP
tls_errors.py   what went wrong in TLS, in an operator's words
credentials.py  the contexts of TLS, from the files that the settings name
certificate.py  whom a certificate is for
"""

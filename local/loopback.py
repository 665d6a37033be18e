"""Requests to the stack's own parts, which never go through a proxy, whatever the shell has configured."""

from urllib.request import ProxyHandler, build_opener

open_url = build_opener(ProxyHandler({})).open

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""XML-RPC in few lines, and what a toolstack could ask before it places a domain: usage: xenmon_rpc.py [URL]"""
import http.client
import socket
import sys
import xml.parsers.expat
import xmlrpc.client


def give_up(why):
    text = f"xenmon_rpc: {url}: {why}"
    sys.exit("".join(letter if letter.isprintable() else "?" for letter in text))


url = sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8436"
socket.setdefaulttimeout(30)  # ServerProxy has none: a server that says nothing would be waited for for ever
try:
    snapshot = xmlrpc.client.ServerProxy(url.rstrip("/") + "/RPC2").xenmon.snapshot("10s")
except xmlrpc.client.Fault as fault:
    give_up(f"{fault.faultCode} {fault.faultString}")
except xmlrpc.client.ProtocolError as error:
    give_up(f"{error.errcode} {error.errmsg}")
except (xmlrpc.client.Error, OSError, ValueError, http.client.HTTPException, xml.parsers.expat.ExpatError) as error:
    give_up(str(error) or type(error).__name__)
if snapshot["state"] not in ("running", "restarted"):
    give_up(f"the server has old numbers only: xenbaked is {snapshot['state']}")
busy = snapshot["windows"]["10s"]["busy_ratio"]
if busy is None:
    give_up("the server does not know yet how busy the host is")
windows = [domain["windows"]["10s"] for domain in snapshot["domains"]]
waiting = sum(window["wait_s"] / window["span_s"] for window in windows if window["span_s"])
print(f"{snapshot['host']['cpus']} pCPUs, {busy:.1%} busy, {waiting:.2f} vCPUs waiting on average")
print("room for another domain" if busy < 0.8 and waiting < 0.5 else "no room: its vCPUs would wait")

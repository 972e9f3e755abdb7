#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""XML-RPC in three lines, and what a toolstack could ask before it places a domain: usage: xenmon_rpc.py [URL]"""
import sys
import xmlrpc.client

host = xmlrpc.client.ServerProxy((sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8436") + "/RPC2")
snapshot = host.xenmon.snapshot("10s")
if snapshot["state"] not in ("running", "restarted"):
    sys.exit(f"xenmon_rpc: the server has old numbers only: xenbaked is {snapshot['state']}")
busy = snapshot["windows"]["10s"]["busy_ratio"]
waiting = sum(domain["windows"]["10s"]["wait_s"] / domain["windows"]["10s"]["span_s"] for domain in snapshot["domains"])
print(f"{snapshot['host']['cpus']} pCPUs, {busy:.1%} busy, {waiting:.2f} vCPUs waiting on average")
print("room for another domain" if busy < 0.8 and waiting < 0.5 else "no room: its vCPUs would wait")

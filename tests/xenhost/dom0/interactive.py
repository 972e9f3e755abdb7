# SPDX-License-Identifier: MIT
"""Makes dom0 worth a visit: guests, a load, xenbaked; then a shell on the console."""
import json
import os
import pathlib
import subprocess

import checks
from host import Failed, Host, Load, run

RUN = pathlib.Path("/run/xenhost")
WELCOME = """
This is dom0 of a real Xen {xen} ({scheduler}, {pcpus} pCPUs) under emulation; 1 web server under load and 2 CPU hogs.

  xenmon                what they get and wait for, live (? for help, q to leave)
  xenmon report --region; xenmon log -t 5; xenmon record -o a.trace --duration 5s; xenmon report a.trace
  xl list; xl vcpu-list; xl sched-{scheduler} -d light -w 1024; xl pause heavy; xl unpause heavy; xl destroy light
  systemctl status xenbaked

poweroff ends it; so does Ctrl-a x, at once.
"""


def shell(config):
    """Lets systemd start the autologin that waits for this file, with the user's kind of terminal and its size."""
    (RUN / "shell").write_text(f"TERM={config['term']}\n")
    pathlib.Path("/etc/profile.d/xenhost.sh").write_text(
        f"stty rows {int(config['rows'])} columns {int(config['columns'])}\ncat /run/xenhost/welcome\n")
    run("systemctl", "start", "serial-getty@hvc0.service")


def main():
    config = json.loads(pathlib.Path("config.json").read_text(encoding="utf-8"))
    host = Host(pathlib.Path("/run/xenhost"), config, lambda text: print(f"# {text}", flush=True))
    welcome = "The host did not come up as it should; `journalctl -b` may say why.\n"
    try:
        print("# dom0 is up; guests are being started", flush=True)
        checks.xen_is_up(host)
        checks.guests_are_up(host)
        Load()
        run("systemd-sysusers")
        run("systemctl", "daemon-reload")
        run("systemctl", "start", "xenbaked.service")
        welcome = WELCOME.format(xen=host.info["xen_version"], **config)
    except (Failed, OSError, subprocess.SubprocessError) as error:
        welcome += f"{error}\n"
    (RUN / "welcome").write_text(welcome)
    shell(config)
    os._exit(0)  # what was started stays


if __name__ == "__main__":
    main()

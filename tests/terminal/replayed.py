# SPDX-License-Identifier: MIT
"""A whole trace in a region, for tests that compare a screen with it.  contrib/python is in sys.path."""
import os
import subprocess
import time

import xenmon_region


class Replayed:
    """A xenbaked that has replayed a trace to its end."""

    def __init__(self, xenbaked, directory, trace, *options):
        self.path = os.path.join(directory, 'shm')
        self.process = subprocess.Popen([xenbaked, '--no-config', '--foreground', '--speed=max', '--log-level=error', '--region',
                                         self.path, *options, trace], stdin=subprocess.DEVNULL)

    def __enter__(self):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                with xenmon_region.Region(self.path) as region:
                    if region.header()['state'] == xenmon_region.ENDED:
                        return self.path
            except (OSError, xenmon_region.RegionError):
                pass
            time.sleep(0.05)
        raise SystemExit('not replayed in a minute')

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

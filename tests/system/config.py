#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Configuration files of xenbaked and xenmon: config.py XENBAKED XENMON        TAP on stdout"""
import os
import shutil
import subprocess
import sys
import tempfile

XENBAKED, XENMON = (os.path.abspath(path) for path in sys.argv[1:3])
results = []


def check(good, name, detail=''):
    results.append(good)
    print('%sok %d - %s' % ('' if good else 'not ', len(results), name))
    for line in str(detail).splitlines() if not good else ():
        print('# ' + line)


def run(*argv, **env):
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, env=dict(os.environ, **env))


def shown(*options, **env):
    """What --show-config says, as a dictionary, and the result itself."""
    r = run(XENBAKED, '--show-config', *options, **env)
    return dict(line.split(' = ', 1) for line in r.stdout.splitlines() if ' = ' in line), r


def put(path, text, mode=0o644):
    with open(path, 'w') as f:
        f.write(text)
    os.chmod(path, mode)


def test_values(place):
    path = os.path.join(place, 'a.conf')
    put(path, '[xenbaked]\nmax-domains = 7\nmax-vcpus = 70\nsamples-per-second = 5 ; enough\n[screen]\ntheme = light\n')
    values, r = shown('--config', path)
    check(values.get('domains') == '7' and values.get('fast_interval_s') == '0.200' and r.stderr == '', 'options from a file', r)
    values, r = shown('--config', path, '--max-domains', '8')
    check(values.get('domains') == '8' and values.get('vcpus') == '70', 'the command line wins', r)
    values, r = shown('--config', path, '-m', '50')
    check(values.get('fast_interval_s') == '0.050', 'over a rival too', r)
    os.mkdir(path + '.d')
    put(path + '.d/20.conf', '[xenbaked]\nmax-domains = 20\n')
    put(path + '.d/10.conf', '[xenbaked]\nmax-domains = 10\nmax-pcpus = 3\n')
    put(path + '.d/30.conf.bak', '[xenbaked]\nmax-domains = 30\n')
    values, r = shown('--config', path)
    check((values.get('domains'), values.get('vcpus'), values.get('pcpus')) == ('20', '70', '3'), 'drop-ins, in their order', r)
    put(path, '[xenbaked]\ndaemon = yes\nsource = sim:web\nregion = /x/y\n')
    shutil.rmtree(path + '.d')
    values, r = shown('--config', path, '--foreground', '-')
    check(r.returncode == 0 and values.get('input') == '-' and values.get('region') == '/x/y', 'what rivals leave', r)
    values, r = shown('--no-config', '--max-domains', '9')
    check(values.get('domains') == '9' and values.get('region') != '/x/y', '--no-config', r)


def test_wrong(place):
    path = os.path.join(place, 'b.conf')
    put(path, '[xenbaked]\nmax-domains = many\nhelp = yes\nmax-domain = 3\n[xenbakd]\na = b\nnonsense\n')
    values, r = shown('--config', path)
    lines = [line.replace('xenbaked: ' + path, '') for line in r.stderr.splitlines()]
    check(r.returncode == 2 and values == {} and [line.split(':')[1] for line in lines] == ['2', '3', '4', '6', '7'],
          'wrong lines: all of them, 2', r)
    for name, make, code in (('missing', lambda p: None, 2), ('fifo', os.mkfifo, 2), ('directory', os.mkdir, 2),
                             ('large', lambda p: put(p, '\n' * (10 << 20)), 2)):
        victim = os.path.join(place, name)
        make(victim)
        values, r = shown('--config', victim)
        check(r.returncode == code and r.stderr.count('\n') == 1 and victim in r.stderr, '%s: one line, %d' % (name, code), r)
        r = run(XENMON, 'live', '--config', victim, '--sort=list')
        check(r.returncode == 0 and (victim in r.stderr) == (name != 'missing'), '%s: keeps nobody from the screen' % name, r)
    if os.geteuid() == 0:
        put(path, '[xenbaked]\nmax-domains = 3\n', 0o666)
        values, r = shown('--config', path)
        check(r.returncode == 3 and 'others than root' in r.stderr, 'a file that others can write: not for root, 3', r)
    r = run(XENBAKED, '--config', path, '--no-config')
    check(r.returncode == 2 and r.stderr.count('\n') == 1, '--config and --no-config', r)


def test_own(place):
    home = os.path.join(place, 'home')
    os.makedirs(home + '/.config/xenmon')
    put(home + '/.config/xenmon/config', '[screen]\nview = pcpus\n[live]\nfoo = bar\n[xenbaked]\nmax-domains = 3\n')
    r = run(XENMON, 'live', '--sort=list', HOME=home, XDG_CONFIG_HOME='')
    check(r.returncode == 0 and 'busy' in r.stdout and 'foo' in r.stderr, "the user's own settings", r)
    values, r = shown(HOME=home, XDG_CONFIG_HOME='')
    wanted = '32' if os.geteuid() == 0 else '3'
    check(values.get('domains') == wanted, "a user's xenbaked has them, root's has the system's", r)


def main():
    place = tempfile.mkdtemp(prefix='xm-config-')
    try:
        test_values(place)
        test_wrong(place)
        test_own(place)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    print('1..%d' % len(results))
    return 0 if all(results) else 1


if __name__ == '__main__':
    sys.exit(main())

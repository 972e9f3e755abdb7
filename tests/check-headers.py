#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every header compiles alone and twice, and every prototype in it has a comment.

usage: check-headers.py SOURCE_ROOT [CC...]      TAP on stdout, exit 1 when a rule is broken

A prototype has a comment when one stands in its block, that is among the lines around it up to the next
empty one: prototypes that share one contract may share its comment.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

PROTOTYPE = re.compile(r"^(?!typedef|static|#|\s|\})[\w\s*]*?\b([a-z]\w*)\s*\([^;{}]*\)[^;{}]*;", re.MULTILINE)


def compiles(root, path, compiler):
    name = path.relative_to(root / ("include" if "include" in path.parts else "src" if "src" in path.parts else "cmd"))
    strict = ["-std=c11", "-pedantic"] if "include" in path.parts else ["-std=gnu11", "-D_GNU_SOURCE"]
    with tempfile.NamedTemporaryFile("w", suffix=".c") as unit:
        unit.write(f'#include "{name}"\n#include "{name}"\n')
        unit.flush()
        command = compiler + strict + ["-Wall", "-Wextra", "-Werror", "-fsyntax-only",
                                       *(f"-I{root / folder}" for folder in ("include", "src", "cmd")), unit.name]
        result = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    return result.stderr if result.returncode else None


def bare_prototypes(text):
    """(line, name) of prototypes in blocks without a comment."""
    # An empty line inside a comment does not end its block.
    joined = re.sub(r"/\*.*?\*/", lambda m: "/*" + "*" * m.group().count("\n") + "*/", text, flags=re.DOTALL)
    for block in re.split(r"\n[ \t]*\n", joined):
        if "/*" in block:
            continue
        for match in PROTOTYPE.finditer(block):
            yield match.group(1)


def self_test():
    bad = "/* theory */\n\nint xm_bare(int a);\n"
    good = "/* what it\n\n does */\nint xm_one(int a);\nvoid xm_two(void);\n\nint xm_three(void); /* beside */\n"
    return list(bare_prototypes(bad)) == ["xm_bare"] and not list(bare_prototypes(good))


def main():
    root, compiler = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:] or ["cc"]
    headers = sorted(path for folder in ("include", "src", "cmd") for path in (root / folder).rglob("*.h"))
    results = [(self_test(), "the checker finds a bare prototype"), (len(headers) > 5, f"headers found: {len(headers)}")]
    for path in headers:
        name = path.relative_to(root)
        error = compiles(root, path, compiler)
        bare = list(bare_prototypes(path.read_text(encoding="utf-8")))
        for line in (error or "").splitlines()[:10] + [f"{name}: {what}: no comment" for what in bare]:
            print("#", line)
        results.append((not error, f"{name} compiles alone"))
        results.append((not bare, f"{name}: every prototype has a comment"))
    print(f"1..{len(results)}")
    for number, (good, title) in enumerate(results, 1):
        print(f"{'ok' if good else 'not ok'} {number} - {title}")
    return 0 if all(good for good, _ in results) else 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The house rules that can be read off the sources (ARCHITECTURE.md says why each is there).

usage: check-rooms.py SOURCE_ROOT        TAP on stdout, exit 1 when a rule is broken
       check-rooms.py --self-test        each rule must catch the small sin made for it
"""
import pathlib
import re
import sys

# A room includes itself and the rooms to its left.
ROOMS = ["base", "trace", "account", "region", "sim", "source", "view", "history", "front", "export"]
# trace and account do not know each other: who runs the loop hands the events over.
STRANGERS = {("trace", "account"), ("account", "trace")}
# Front ends know the region by its installed reader only.
READERS_ONLY = {"history", "front", "export"}
# Where an installed header belongs; trace.h is also the vocabulary of events that account is written in.
PUBLIC = {"region.h": "region", "trace.h": "trace"}
PUBLIC_FOR_ALL = {("account", "trace.h")}

CURSES_FILE = "src/front/terminal/terminal.c"
BANNED = ["strcpy", "strcat", "sprintf", "vsprintf", "strtok", "atoi", "atol", "atof", "gets", "gmtime",
          "localtime", "asctime", "ctime", "rand", "srand", "system", "alloca"]
EXITS = ["exit", "_Exit", "quick_exit", "abort"]
PRINTS = ["printf", "puts", "putchar", "perror", "psignal", "stdout", "stderr"]


def blank(match):
    """Same lines, no content: line numbers stay true."""
    return re.sub(r"[^\n]", " ", match.group())


def code_only(text, keep_includes=False):
    """The text without comments, string contents and preprocessor lines."""
    text = re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'',
                  lambda m: m.group() if keep_includes and m.group()[0] == '"' else blank(m), text, flags=re.DOTALL)
    if keep_includes:
        return text
    return re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", blank, text, flags=re.MULTILINE)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def words(text, names):
    """(line, name) wherever one of the names stands as a word that is not a member."""
    for match in re.finditer(r"(?<![\w.>])(" + "|".join(names) + r")\b", text):
        yield line_of(text, match.start()), match.group(1)


def calls(text, names):
    for match in re.finditer(r"(?<![\w.>])(" + "|".join(names) + r")\s*\(", text):
        yield line_of(text, match.start()), match.group(1)


def includes(text):
    for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]+(["<])([^">]+)[">]', code_only(text, True), re.MULTILINE):
        yield line_of(text, match.start()), match.group(1) == '"', match.group(2)


def room_of(path):
    parts = path.split("/")
    return parts[1] if parts[0] == "src" and len(parts) > 2 else None


def include_fault(path, target):
    """What is wrong with including `target` (a quoted name) from `path`, or None."""
    own = room_of(path)
    folder, _, name = target.partition("/")
    if path.startswith("include/"):
        return None if folder == "xenmon" else "an installed header includes installed headers only"
    if own is None:
        return None
    if folder == "xenmon":
        if (own, name) in PUBLIC_FOR_ALL:
            return None
        folder = PUBLIC.get(name, "base")
    elif folder not in ROOMS:
        return 'write it as "room/x.h" or "xenmon/x.h"'
    elif own in READERS_ONLY and folder == "region":
        return "front ends know the region by xenmon/region.h only"
    if (own, folder) in STRANGERS:
        return f"{own} and {folder} do not know each other"
    if ROOMS.index(folder) > ROOMS.index(own):
        return f"{folder} is below {own}"
    return None


def rule_includes(files):
    for path, text in files.items():
        if room_of(path) is not None and room_of(path) not in ROOMS:
            yield f"{path}: no such room"
            continue
        for line, quoted, target in includes(text):
            fault = include_fault(path, target) if quoted else None
            if fault:
                yield f"{path}:{line}: {target}: {fault}"


def rule_curses(files):
    for path, text in files.items():
        for line, _, target in includes(text):
            if re.search(r"\bn?curses(w)?\b", target) and path != CURSES_FILE:
                yield f"{path}:{line}: only {CURSES_FILE} includes curses"


def rule_exit(files):
    for path, text in files.items():
        if path.startswith("src/"):
            for line, name in calls(code_only(text), EXITS):
                yield f"{path}:{line}: {name}(): only cmd/ exits"


def rule_print(files):
    for path, text in files.items():
        if path.startswith("src/") and room_of(path) != "front":
            for line, name in words(code_only(text), PRINTS):
                yield f"{path}:{line}: {name}: only cmd/ and src/front print"


def rule_banned(files):
    for path, text in files.items():
        for line, name in calls(code_only(text), BANNED):
            yield f"{path}:{line}: {name}() is banned"


def file_scope(text):
    """(line, declaration) of everything that ends at brace depth 0, function bodies and types left out."""
    depth = start = 0
    for position, char in enumerate(text):
        if char == "{":
            if depth == 0 and re.search(r'extern\s*"?\s*"?\s*$', text[start:position]):
                start = position + 1
                continue
            depth += 1
        elif char == "}":
            depth = max(0, depth - 1)
            # a function's body ends without a semicolon; an initialiser's or a type's does not
            if depth == 0 and "=" not in text[start:text.find("{", start)] and \
                    re.search(r"\)\s*(?:[A-Z_]+\s*(?:\([^)]*\))?\s*)*$", text[start:text.find("{", start)]):
                start = position + 1
        elif char == ";" and depth == 0:
            declaration = text[start:position]
            lead = len(declaration) - len(declaration.lstrip())
            yield line_of(text, start + lead), declaration.strip()
            start = position + 1


def mutable(declaration):
    """The declaration is of an object that can change."""
    head = declaration
    if "{" in head and "=" not in head[:head.index("{")]:
        # a type with members: an object only if a name follows them
        head = head[:head.index("{")] + head[head.rindex("}") + 1:] if head.rstrip()[-1] != "}" else ""
    head = re.split(r"=|\[", head, maxsplit=1)[0].strip()
    if re.match(r"(typedef|extern|_Static_assert)\b", head) or re.fullmatch(r"(struct|enum|union)\s+\w+|\w*", head):
        return False
    if "(" in head and not re.match(r"[^(]*\(\s*\*", head):
        return False
    pointee, star, own = head.rpartition("*")
    return not re.search(r"\bconst\b", own if star else head)


def without_macros(code):
    """The code without what a macro of capitals makes at file scope, COLUMN(...) and the like."""
    while match := re.search(r"^[A-Z][A-Z0-9_]+\(", code, re.MULTILINE):
        depth, end = 1, match.end()
        while depth and end < len(code):
            depth += {"(": 1, ")": -1}.get(code[end], 0)
            end += 1
        code = code[:match.start()] + re.sub(r"[^\n]", " ", code[match.start():end]) + code[end:]
    return code


def rule_state(files):
    for path, text in files.items():
        if not path.startswith("src/"):
            continue
        code = without_macros(code_only(text))
        for line, declaration in file_scope(code):
            if mutable(declaration):
                yield f"{path}:{line}: {declaration.split('=')[0].strip()}: state at file scope"
        for match in re.finditer(r"^[ \t]+static\s+([^;={(]*)[;=]", code, re.MULTILINE):
            if mutable(match.group(1).strip() + " ="):
                yield f"{path}:{line_of(code, match.start())}: {match.group(1).strip()}: a static that changes"


RULES = [
    ("a room includes only rooms above it", rule_includes),
    ("only the terminal knows curses", rule_curses),
    ("only cmd exits", rule_exit),
    ("only cmd and the front ends print", rule_print),
    ("no banned functions", rule_banned),
    ("no state at file scope in src", rule_state),
]

# rule -> {path: text} that break it once each, and one that does not
SINS = {
    rule_includes: ({"src/base/a.c": '#include "trace/x.h"\n', "src/trace/a.c": '#include "account/account.h"\n',
                     "src/account/a.c": '#include "trace/ring.h"\n', "src/view/a.c": '#include "a.h"\n',
                     "src/front/a.c": '#include "region/writer.h"\n', "src/attic/a.c": "int a;\n",
                     "include/xenmon/a.h": '#include "base/x.h"\n', "src/base/b.c": '#include "xenmon/region.h"\n'},
                    '#include "xenmon/trace.h"\n#include "base/x.h"\n/* #include "front/x.h" */\n'),
    rule_curses: ({"src/front/screen/screen.c": "#include <ncursesw/curses.h>\n", "cmd/a.c": "#include <curses.h>\n"},
                  "/* curses */\n"),
    rule_exit: ({"src/base/a.c": "void f(void)\n{\n    exit(1);\n}\n"}, 'void g(void)\n{\n    f("exit(1)");\n}\n'),
    rule_print: ({"src/base/a.c": "void f(void)\n{\n    printf(0);\n}\n",
                  "src/base/b.c": "void f(void)\n{\n    fputs(x, stderr);\n}\n"}, "void g(void)\n{\n    snprintf(0);\n}\n"),
    rule_banned: ({"cmd/a.c": "void f(void)\n{\n    strcpy(a, b);\n}\n", "src/base/a.c": "int f(void)\n{\n    return rand();\n}\n"},
                  "void g(void)\n{\n    x_strcpy(a, b);\n    a.rand(0);\n}\n"),
    rule_state: ({"src/base/a.c": "static int count;\n", "src/base/b.c": "int table[] = {1, 2};\n",
                  "src/base/c.c": "void f(void)\n{\n    static int once = 0;\n}\n",
                  "src/base/d.c": 'static const char *names[] = {"a"};\n',
                  "src/base/f.c": "static struct {\n    int a;\n} here;\n",
                  "src/base/g.c": "static int (*hook)(void);\n",
                  "src/base/e.c": "static struct x state = {0};\nint f(void)\n{\n    return 0;\n}\n"},
                 'static const char *const names[] = {"a"};\nstatic const int t[] = {1};\nstruct x {\n    int y;\n};\n'
                 "int f(int a);\nenum e { A, B };\nstatic int g(void)\n{\n    int x = 1;\n    return x;\n}\n"
                 "static const struct x row = {.y = 1};\nstruct z;\ntypedef int (*fn)(void);\n"
                 "COLUMN(a, x(1); y = 2)\nCOLUMN(b, y = 3)\nenum s xm_f(int a,\n            bool (*stop)(void *), int c) XM_MUST_CHECK;\n"),
}


def self_test():
    lines = []
    for title, rule in RULES:
        sins, good = SINS[rule]
        for path, text in sins.items():
            found = list(rule({path: text}))
            lines.append((len(found) == 1, f"{title}: catches {path}: {found}"))
        found = list(rule({"src/account/good.c": good}))
        lines.append((not found, f"{title}: lets the good one pass {found}"))
    return lines


def check(root):
    files = {}
    for folder in ("src", "include", "cmd", "bench"):
        for path in sorted((root / folder).rglob("*.[ch]")):
            files[path.relative_to(root).as_posix()] = path.read_text(encoding="utf-8")
    lines = [(len(files) > 10, f"sources found: {len(files)}")]
    for title, rule in RULES:
        faults = list(rule(files))
        for fault in faults:
            print(f"# {' '.join(fault.split())}")
        lines.append((not faults, title))
    return lines


def main():
    lines = self_test() if sys.argv[1:] == ["--self-test"] else check(pathlib.Path(sys.argv[1]))
    print(f"1..{len(lines)}")
    for number, (good, title) in enumerate(lines, 1):
        print(f"{'ok' if good else 'not ok'} {number} - {title}")
    return 0 if all(good for good, _ in lines) else 1


if __name__ == "__main__":
    sys.exit(main())

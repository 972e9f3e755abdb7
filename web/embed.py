#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the C file that holds the web page and the API's description.

usage: embed.py OUTPUT WEB_FOLDER OPENAPI_JSON [DEPFILE]

The charts are uPlot, which npm puts into WEB_FOLDER/node_modules; where it is not, "/" is missing.html, which says so.
DEPFILE names, for ninja, all that OUTPUT was made from; of what is not there, the folder in which it would appear.
"""
import hashlib
import json
import pathlib
import sys

UPLOT = tuple("node_modules/uplot/" + name for name in ("dist/uPlot.iife.min.js", "dist/uPlot.min.css", "LICENSE"))


def files(web, description):
    """(path on the server, Content-Type, bytes), and whether the page is whole."""
    html = "text/html; charset=utf-8"
    yield "/icon.svg", "image/svg+xml", (web / "icon.svg").read_bytes()
    yield "/api/v1/openapi.json", "application/json", json.dumps(json.loads(description.read_text()), separators=(",", ":")).encode()
    script, style, licence = (web / name for name in UPLOT)
    if not (script.is_file() and style.is_file() and licence.is_file()):
        yield "/", html, (web / "missing.html").read_bytes()
        return
    note = "/* uPlot:\n" + licence.read_text() + "*/\n"
    yield "/", html, (web / "index.html").read_bytes()
    yield "/app.js", "text/javascript; charset=utf-8", (note + script.read_text() + "\n" + (web / "app.js").read_text()).encode()
    yield "/style.css", "text/css; charset=utf-8", (note + style.read_text() + "\n" + (web / "style.css").read_text()).encode()


def array(data):
    lines = (",".join(str(byte) for byte in data[at:at + 24]) for at in range(0, len(data), 24))
    return ",\n".join(lines)


def source(built):
    text = ["/* SPDX-License-Identifier: MIT */", "/* Written by web/embed.py. */", '#include "export/page.h"', "",
            "#include <string.h>", ""]
    for number, (_, _, data) in enumerate(built):
        text.append(f"static const unsigned char file_{number}[] = {{\n{array(data)}}};")
    text.append("static const struct xm_page_file files[] = {")
    for number, (path, kind, data) in enumerate(built):
        tag = hashlib.sha256(data).hexdigest()[:16]
        text.append(f'    {{"{path}", "{kind}", "{tag}", file_{number}, sizeof file_{number}}},')
    text += ["};", "", "const struct xm_page_file *xm_page_find(const char *path)", "{",
             "    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)",
             "        if (strcmp(files[i].path, path) == 0)", "            return &files[i];", "    return NULL;", "}", ""]
    return "\n".join(text)


def looked_at(web, description):
    yield pathlib.Path(__file__)
    yield description
    for name in ("icon.svg", "index.html", "missing.html", "app.js", "style.css"):
        yield web / name
    for name in UPLOT:
        path = web / name
        while not path.exists():
            path = path.parent
        yield path


def main():
    output, web, description = (pathlib.Path(word) for word in sys.argv[1:4])
    output.write_text(source(list(files(web, description))))
    if len(sys.argv) > 4:
        names = sorted({str(path.resolve()).replace(" ", "\\ ") for path in looked_at(web, description)})
        pathlib.Path(sys.argv[4]).write_text(f"{output}: {' '.join(names)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""The samples of docs/migrate-from-nginx.md, as compilers take them."""

import pathlib
import re
import subprocess

GUIDE = pathlib.Path("docs/migrate-from-nginx.md")

PRELUDES = {
    "Slabmill": "".join(
        f"#include <{name}.h>\n"
        for name in (
            "string",
            "unistd",
            "slabmill/lru",
            "slabmill/object",
            "slabmill/pool",
            "slabmill/rbtree",
            "slabmill/zone_set",
        )
    ),
    "nginx": "#include <ngx_config.h>\n#include <ngx_core.h>\n",
}
# Samples are static functions that no other function calls.
FLAGS = ["-c", "-o", "/dev/null", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function"]


def samples(whose):
    """(heading of the section, code) of each sample that says it is of `whose`."""
    heading = None
    for match in re.finditer(r"^## ([^\n]*)$|^```c\n(.*?)^```$", GUIDE.read_text(), re.M | re.S):
        heading = match[1] or heading
        if match[2] and match[2].startswith(f"/* {whose} */\n"):
            yield heading, match[2]


def complaints(whose, code, flags):
    """What a compiler says about a sample."""
    done = subprocess.run(
        ["cc", *FLAGS, *flags, "-x", "c", "-"],
        input=PRELUDES[whose] + code,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout or ("" if done.returncode == 0 else f"status {done.returncode}")

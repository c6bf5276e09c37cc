# SPDX-License-Identifier: Apache-2.0
"""<name>_oss_fuzz: the tar that OSS-Fuzz's bazel_build_fuzz_tests unpacks to $OUT."""

# Bazel makes every output executable, and OSS-Fuzz treats each executable as a fuzz target.
_PACK = """set -eu
out=$1 binary=$2 corpus=$3 dict=$4 name=$5 zipper=$6
stage=$out.stage
mkdir -p "$stage"
cp -L "$binary" "$stage/$name"
chmod 755 "$stage/$name"
printf '[asan]\\nquarantine_size_mb = 10\\n' > "$stage/$name.options"
(cd "$corpus" && find -L . -type f | LC_ALL=C sort) | sed 's,^\\./,,' | while IFS= read -r seed; do
    printf '%s=%s\\n' "$(printf %s "$seed" | tr / -)" "$corpus/$seed"
done > "$stage/seeds"
if [ -s "$stage/seeds" ]; then
    "$zipper" cC "$stage/${name}_seed_corpus.zip" "@$stage/seeds"
fi
rm "$stage/seeds"
if [ -s "$dict" ]; then
    cp -L "$dict" "$stage/$name.dict"
    printf '[libfuzzer]\\ndict = %s.dict\\n' "$name" >> "$stage/$name.options"
fi
find "$stage" -type f ! -name "$name" -exec chmod 644 {} +
tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf "$out" -C "$stage" .
rm -r "$stage"
"""

def _oss_fuzz_package_impl(ctx):
    archive = ctx.actions.declare_file(ctx.label.name + ".tar")
    inputs = [ctx.executable.binary, ctx.file.corpus, ctx.file.dictionary]
    ctx.actions.run_shell(
        outputs = [archive],
        inputs = inputs,
        tools = [ctx.executable._zipper],
        arguments = [archive.path] + [file.path for file in inputs] +
                    [ctx.attr.target_name, ctx.executable._zipper.path],
        command = _PACK,
        mnemonic = "OssFuzzPackage",
    )
    return [DefaultInfo(files = depset([archive]))]

oss_fuzz_package = rule(
    implementation = _oss_fuzz_package_impl,
    attrs = {
        "binary": attr.label(executable = True, cfg = "target", mandatory = True),
        "corpus": attr.label(allow_single_file = True, mandatory = True),
        "dictionary": attr.label(allow_single_file = True, mandatory = True),
        "target_name": attr.string(mandatory = True),
        "_zipper": attr.label(
            cfg = "host",
            default = "@bazel_tools//tools/zip:zipper",
            executable = True,
        ),
    },
)

# SPDX-License-Identifier: Apache-2.0
"""<name>_corpus: one folder with all seeds. <name>_dict: one file with all words."""

# A seed keeps its path inside the folder: two seeds `0001` do not collide, and a failing replay
# names the file in the source tree.
_COPY = 'mkdir -p "$1" && xargs -r -d "\\n" cp -L --parents -t "$1" < "$2"'

def _fuzzing_corpus_impl(ctx):
    folder = ctx.actions.declare_directory(ctx.label.name)
    seeds = ctx.actions.args()
    seeds.use_param_file("%s", use_always = True)
    seeds.set_param_file_format("multiline")
    seeds.add_all(ctx.files.corpus)
    ctx.actions.run_shell(
        outputs = [folder],
        inputs = ctx.files.corpus,
        arguments = [folder.path, seeds],
        command = _COPY,
        mnemonic = "FuzzCorpus",
    )
    return [DefaultInfo(
        files = depset([folder]),
        runfiles = ctx.runfiles(files = [folder]),
    )]

fuzzing_corpus = rule(
    implementation = _fuzzing_corpus_impl,
    attrs = {"corpus": attr.label_list(allow_files = True)},
)

def _fuzzing_dictionary_impl(ctx):
    merged = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.run_shell(
        outputs = [merged],
        inputs = ctx.files.dicts,
        arguments = [merged.path] + [dict.path for dict in ctx.files.dicts],
        command = 'out="$1"; shift; cat /dev/null "$@" > "$out"',
        mnemonic = "FuzzDict",
    )
    return [DefaultInfo(
        files = depset([merged]),
        runfiles = ctx.runfiles(files = [merged]),
    )]

fuzzing_dictionary = rule(
    implementation = _fuzzing_dictionary_impl,
    attrs = {"dicts": attr.label_list(allow_files = True)},
)
